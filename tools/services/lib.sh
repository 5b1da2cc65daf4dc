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

# running DIR WORD: prints the pid in DIR/pid when that process is there and has WORD in its arguments. A pid file may outlive its process.
running_in() {
	pid=$(cat "$1/pid" 2>/dev/null) && [ -r "/proc/$pid/cmdline" ] && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$2" && echo "$pid"
}

# end_in DIR WORD [SIGNAL]: ends that process and waits for it.
end_in() {
	pid=$(running_in "$1" "$2") || return 0
	kill "${3:--TERM}" "$pid" 2>/dev/null || true
	for _ in $(seq 150); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.2
	done
	kill -9 "$pid" 2>/dev/null || true
	rm -f "$1/pid"
}

# until_true SECONDS WHAT PID LOG COMMAND…: waits until COMMAND succeeds; fails when PID has ended before.
until_true() {
	limit=$((SECONDS + $1)) what=$2 of=$3 log=$4
	shift 4
	until "$@" >/dev/null 2>&1; do
		kill -0 "$of" 2>/dev/null || fail "$what ended at its start; the last lines of $log: $(tail -5 "$log")"
		[ $SECONDS -lt $limit ] || fail "$what does not answer; see $log"
		sleep 0.2
	done
}

# certificates DIR: an authority of its own (ca.pem) and a certificate for 127.0.0.1 and localhost (server.pem, server.key).
certificates() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj "/CN=fhirline test authority" \
		-keyout "$1/ca.key" -out "$1/ca.pem" 2>/dev/null
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" -keyout "$1/server.key" -out "$1/server.csr" 2>/dev/null
	echo "subjectAltName = IP:127.0.0.1, DNS:localhost" >"$1/server.ext"
	openssl x509 -req -in "$1/server.csr" -CA "$1/ca.pem" -CAkey "$1/ca.key" -CAcreateserial -days 365 -extfile "$1/server.ext" \
		-out "$1/server.pem" 2>/dev/null
}
