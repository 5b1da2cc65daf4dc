# SPDX-License-Identifier: Apache-2.0
"""protos: compares proto/ with the official definitions of Temporal's API: each message, field and enum value that is in proto/ must be there
with the same number, type and label. Both sides are compiled descriptors: ours from protoc-c, the official ones from the Python SDK
(PyPI: temporalio 1.35.0, MIT), where they are kept as bytes in generated files.

    protos.py [DIR]    compares with the .proto files in DIR instead (such as those of crates.io's temporalio-protos)
"""
import ast
import collections
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from harness import CACHE, ROOT

PACKAGE = "temporalio==1.35.0 --hash=sha256:45b5438f41ab154eda4eea40069df2fa8779cb8f5c27f266b917a700bfba8bb8"

Field = collections.namedtuple("Field", "number label type type_name oneof")
Compared = collections.namedtuple("Compared", "differences fields values")

# The SDK takes these from the protobuf runtime: https://protobuf.dev/reference/protobuf/google.protobuf/
OPTIONAL, DOUBLE, INT64, INT32 = 1, 1, 3, 5
WELL_KNOWN = {
    "google.protobuf.Timestamp.seconds": Field(1, OPTIONAL, INT64, "", ""),
    "google.protobuf.Timestamp.nanos": Field(2, OPTIONAL, INT32, "", ""),
    "google.protobuf.Duration.seconds": Field(1, OPTIONAL, INT64, "", ""),
    "google.protobuf.Duration.nanos": Field(2, OPTIONAL, INT32, "", ""),
    "google.protobuf.DoubleValue.value": Field(1, OPTIONAL, DOUBLE, "", ""),
}


# ---- descriptors: https://protobuf.dev, descriptor.proto ----

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def parts(data):
    """{field number: [values]} of a message; messages and strings are bytes."""
    found, at = collections.defaultdict(list), 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        elif tag & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            size = {1: 8, 5: 4}[tag & 7]
            value, at = data[at:at + size], at + size
        found[tag >> 3].append(value)
    return found


def text(message, number):
    return message[number][0].decode() if message[number] else ""


def number(message, field):
    return message[field][0] if message[field] else 0


class Definitions:
    """fields["package.Message.field"], values["package.Enum.VALUE"], of serialised FileDescriptorProtos."""

    def __init__(self):
        self.fields, self.values = {}, {}

    def add_file(self, data):
        file = parts(data)
        package = text(file, 2)
        for message in file[4]:
            self.add_message(package, message)
        for enum in file[5]:
            self.add_enum(package, enum)

    def add_message(self, scope, data):
        message = parts(data)
        name = f"{scope}.{text(message, 1)}"
        oneofs = [text(parts(o), 1) for o in message[8]]
        for field in map(parts, message[2]):
            oneof = oneofs[field[9][0]] if field[9] else ""
            self.fields[f"{name}.{text(field, 1)}"] = Field(number(field, 3), number(field, 4), number(field, 5),
                                                            text(field, 6), oneof)
        for nested in message[3]:
            self.add_message(name, nested)
        for enum in message[4]:
            self.add_enum(name, enum)

    def add_enum(self, scope, data):
        enum = parts(data)
        for value in map(parts, enum[2]):
            self.values[f"{scope}.{text(enum, 1)}.{text(value, 1)}"] = number(value, 2)


def compile_folder(folder):
    """The definitions of all .proto files below `folder`."""
    definitions = Definitions()
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as tmp:
        out = pathlib.Path(tmp) / "set"
        done = subprocess.run(["protoc-c", f"--proto_path={folder}", f"--descriptor_set_out={out}", *names], capture_output=True,
                              text=True)
        if done.returncode:
            raise AssertionError(f"protoc-c: {done.stderr}")
        for file in parts(out.read_bytes())[1]:
            definitions.add_file(file)
    return definitions


# ---- the official ones ----

def download():
    folder = CACHE / "temporalio-1.35.0"
    if not list(folder.glob("*.whl")):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as tmp:
            (pathlib.Path(tmp) / "req").write_text(PACKAGE + "\n")
            subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps",
                            "--only-binary", ":all:", "--platform", "manylinux2014_x86_64", "--python-version", "3.11",
                            "--implementation", "cp", "--abi", "abi3", "--require-hashes", "-d", tmp, "-r", f"{tmp}/req"], check=True)
            wheel, = pathlib.Path(tmp).glob("*.whl")
            wheel.rename(folder / wheel.name)
    return next(folder.glob("*.whl"))


def official():
    definitions = Definitions()
    with zipfile.ZipFile(download()) as wheel:
        for name in wheel.namelist():
            if re.fullmatch(r"temporalio/api/\w+/v1/\w+_pb2\.py", name):
                source = wheel.read(name).decode()
                for node in ast.walk(ast.parse(source)):
                    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "AddSerializedFile":
                        definitions.add_file(ast.literal_eval(node.args[0]))
    definitions.fields.update(WELL_KNOWN)
    return definitions


# ---- the comparison ----

def compare(folder, wanted):
    ours, differences = compile_folder(folder), []
    for name, field in ours.fields.items():
        there = wanted.fields.get(name)
        if field != there:
            differences.append(f"{name}: {field}, officially {there}")
    for name, value in ours.values.items():
        there = wanted.values.get(name)
        if value != there:
            differences.append(f"{name} = {value}, officially {there}")
    return Compared(differences, len(ours.fields), len(ours.values))


if __name__ == "__main__":
    result = compare(ROOT / "proto", compile_folder(pathlib.Path(sys.argv[1])) if len(sys.argv) > 1 else official())
    print("\n".join(result.differences))
    print(f"{result.fields} fields and {result.values} values compared, {len(result.differences)} differ")
    sys.exit(1 if result.differences else 0)
