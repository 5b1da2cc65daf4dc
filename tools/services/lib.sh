# SPDX-License-Identifier: Apache-2.0
# Sourced by the service scripts that run Java: what they have in common.

cache=${FHIRLINE_CACHE:-$HOME/.cache/fhirline}

# fail MESSAGE: one line on standard error, then the end.
fail() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

# jars NAME POM: prints a folder with the runtime jars that POM names, downloading them when they are not in the cache. Two at
# once wait for each other; an interrupted download leaves no `.complete` and is taken up again.
jars() {
	lib=$cache/$1/lib
	if [ ! -f "$lib/.complete" ]; then
		command -v mvn >/dev/null || fail "Maven is missing; tools/setup installs it (Debian: maven, default-jdk-headless)"
		mkdir -p "$lib"
		(
			flock 9
			[ -f "$lib/.complete" ] || {
				echo "$(basename "$0"): downloading the jars of $1 to $lib" >&2
				mvn -q -B -f "$2" -Denforcer.skip -DskipTests \
					org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
					-DoutputDirectory="$lib" -DincludeScope=runtime >&2 &&
					touch "$lib/.complete"
			}
		) 9>"$cache/$1/lock" || fail "Maven could not download the jars of $1"
	fi
	echo "$lib"
}
