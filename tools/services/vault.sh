# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts of Vault and OpenBao, which have the same API: arguments, configuration, first set-up, unsealing. They define
# `program` (prints the path of the server's program, getting it when it is not in the cache), `prepare` and `after_set_up` (what else it needs in
# $dir, and in the running server).
. "$here/lib.sh"

name=$(basename "$0")
usage="usage: $name start|stop|status --dir DIR [--port P] [--tls] [--now]"
command=${1:-} dir='' port=0 tls='' now=''
shift || true
while [ $# -gt 0 ]; do
	case $1 in
	--dir) dir=$2 && shift 2 ;;
	--port) port=$2 && shift 2 ;;
	--tls) tls=1 && shift ;;
	--now) now=-KILL && shift ;;
	*) fail "$usage" ;;
	esac
done
[ -n "$dir" ] || fail "$usage"

# api METHOD PATH [JSON]: prints the answer; fails on a status that is not 2xx.
api() {
	curl -sSf --noproxy '*' --max-time 30 ${VAULT_CACERT:+--cacert "$VAULT_CACERT"} -X "$1" ${VAULT_TOKEN:+-H "X-Vault-Token: $VAULT_TOKEN"} \
		${3:+-d "$3"} "$VAULT_ADDR/v1/$2"
}

field() { python3 -c 'import json, sys; print(eval("d" + sys.argv[1], {"d": json.load(sys.stdin)}))' "$1"; }

# The port stays over a restart, so that who uses the server finds it again.
configure() {
	[ ! -f "$dir/server.hcl" ] || return 0
	[ "$port" != 0 ] || port=$("$here/free_ports")
	[ -z "$tls" ] || certificates "$dir"
	mkdir -p "$dir/data" "$dir/plugins"
	prepare
	{
		echo "VAULT_ADDR=http${tls:+s}://127.0.0.1:$port"
		[ -z "$tls" ] || echo "VAULT_CACERT=$dir/ca.pem"
	} >"$dir/env"
	cat >"$dir/server.hcl.part" <<-END
		storage "raft" {
		  path = "$dir/data"
		  node_id = "one"
		}
		cluster_addr = "http${tls:+s}://127.0.0.1:$("$here/free_ports")"
		listener "tcp" {
		  address = "127.0.0.1:$port"
		  $(if [ -n "$tls" ]; then echo "tls_cert_file = \"$dir/server.pem\"
		  tls_key_file = \"$dir/server.key\""; else echo 'tls_disable = true'; fi)
		}
		api_addr = "http${tls:+s}://127.0.0.1:$port"
		plugin_directory = "$dir/plugins"
		disable_mlock = true
		ui = false
	END
	mv "$dir/server.hcl.part" "$dir/server.hcl"
}

answers() {
	[ "$(curl -s --noproxy '*' -o /dev/null -w '%{http_code}' --max-time 5 ${VAULT_CACERT:+--cacert "$VAULT_CACERT"} "$VAULT_ADDR/v1/sys/health")" != 000 ]
}

# One key share, engines as people have them: KV 2 at secret/, AppRole, databases.
set_up() {
	answer=$(api PUT sys/init '{"secret_shares": 1, "secret_threshold": 1}') || return 1
	VAULT_TOKEN=$(echo "$answer" | field '["root_token"]')
	VAULT_UNSEAL_KEY=$(echo "$answer" | field '["keys_base64"][0]')
	printf 'VAULT_TOKEN=%s\nVAULT_UNSEAL_KEY=%s\n' "$VAULT_TOKEN" "$VAULT_UNSEAL_KEY" >>"$dir/env"
	unseal
	api POST sys/mounts/secret '{"type": "kv", "options": {"version": "2"}}'
	api POST sys/auth/approle '{"type": "approle"}'
	api POST sys/mounts/database '{"type": "database"}'
	after_set_up
}

unseal() {
	api PUT sys/unseal "{\"key\": \"$VAULT_UNSEAL_KEY\"}" >/dev/null
	for _ in $(seq 100); do
		api GET sys/health >/dev/null 2>&1 && return
		sleep 0.1
	done
	fail "it stays sealed; see $dir/log"
}

start() {
	umask 077
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd)
	path=$(program)
	configure
	. "$dir/env"
	if ! pid=$(running_in "$dir" "$dir/server.hcl"); then
		setsid nohup "$path" server -config="$dir/server.hcl" >"$dir/log" 2>&1 </dev/null &
		pid=$!
		echo "$pid" >"$dir/pid"
		until_true 60 "$name" "$pid" "$dir/log" answers
		if [ -n "${VAULT_UNSEAL_KEY:-}" ]; then unseal; else set_up || fail "it could not be set up; see $dir/log"; fi
	fi
	echo "pid=$pid url=$VAULT_ADDR env=$dir/env"
}

unset VAULT_ADDR VAULT_TOKEN VAULT_CACERT VAULT_UNSEAL_KEY VAULT_NAMESPACE
case $command in
start)
	command -v curl >/dev/null || fail "curl is missing; tools/setup --tests installs it"
	start
	;;
stop)
	[ ! -d "$dir" ] || end_in "$(cd "$dir" && pwd)" "$(cd "$dir" && pwd)/server.hcl" $now
	;;
status)
	[ -d "$dir" ] && dir=$(cd "$dir" && pwd) && pid=$(running_in "$dir" "$dir/server.hcl") || {
		echo "not running"
		exit 3
	}
	. "$dir/env"
	echo "pid=$pid url=$VAULT_ADDR env=$dir/env"
	;;
*) fail "$usage" ;;
esac
