# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts of S3 servers: arguments, keys, the bucket, stop and status. They define `program` (prints the path of the
# server's program, getting it when it is not in the cache), `launch` (the server in the foreground, in $dir, on $port) and `ready`.
. "$here/lib.sh"

name=$(basename "$0")
usage="usage: $name start|stop|status --dir DIR [--port P] [--tls] [--now]"
command=${1:-} dir='' port=0 tls='' now=''
shift || true
while [ $# -gt 0 ]; do
	case $1 in
	--dir) dir=$2 && shift 2 ;;
	--port) port=$2 && shift 2 ;;
	--tls) tls=s && shift ;;
	--now) now=-KILL && shift ;;
	*) fail "$usage" ;;
	esac
done
[ -n "$dir" ] || fail "$usage"

secret() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

signed() {
	curl -sS --noproxy '*' ${AWS_CA_BUNDLE:+--cacert "$AWS_CA_BUNDLE"} -o /dev/null -w '%{http_code}' --max-time 20 --aws-sigv4 aws:amz:us-east-1:s3 --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
		-H "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" "$@"
}

# the bucket is there: made now, or before (409)
bucket() {
	case $(signed -X PUT "$AWS_ENDPOINT_URL_S3/fhirline") in 200 | 409) ;; *) return 1 ;; esac
}

# The keys and the port stay over a restart, so that who uses the server finds it again.
settings() {
	[ -f "$dir/env" ] || {
		[ -z "$tls" ] || certificates "$dir"
		[ "$port" != 0 ] || port=$("$here/free_ports")
		(
			umask 077
			cat >"$dir/env.part" <<-END
				AWS_ENDPOINT_URL_S3=http$tls://127.0.0.1:$port
				AWS_ACCESS_KEY_ID=fhirline$(secret 6)
				AWS_SECRET_ACCESS_KEY=$(secret 20)
				FHIRLINE_LANDING_URL=s3://fhirline/landing
			END
			[ -z "$tls" ] || echo "AWS_CA_BUNDLE=$dir/ca.pem" >>"$dir/env.part"
		)
		mv "$dir/env.part" "$dir/env"
	}
	. "$dir/env"
	port=${AWS_ENDPOINT_URL_S3##*:}
}

unset AWS_CA_BUNDLE
case $command in
start)
	command -v curl >/dev/null || fail "curl is missing; tools/setup --tests installs it"
	mkdir -p "$dir/data"
	dir=$(cd "$dir" && pwd)
	settings
	if ! pid=$(running_in "$dir" "$dir"); then
		path=$(program)
		launch "$path" >"$dir/log" 2>&1 </dev/null &
		pid=$!
		echo "$pid" >"$dir/pid"
		until_true 120 "$name" "$pid" "$dir/log" ready
		until_true 120 "$name" "$pid" "$dir/log" bucket
	fi
	echo "pid=$pid url=$AWS_ENDPOINT_URL_S3 env=$dir/env"
	;;
stop)
	[ ! -d "$dir" ] || end_in "$(cd "$dir" && pwd)" "$(cd "$dir" && pwd)" $now
	;;
status)
	[ -d "$dir" ] && dir=$(cd "$dir" && pwd) && pid=$(running_in "$dir" "$dir") || {
		echo "not running"
		exit 3
	}
	. "$dir/env"
	echo "pid=$pid url=$AWS_ENDPOINT_URL_S3 env=$dir/env"
	;;
*) fail "$usage" ;;
esac
