#!/usr/bin/env bash
# Makes sure that the machine has what the build needs and what the tests start or drive. On Debian it installs
# what is missing, and only that; elsewhere it says what is missing. Nothing is started, and it fails if anything
# is still missing at the end.
set -euo pipefail

has_cc() { command -v cc && command -v c++; }
has_make() { command -v make; }
has_setpriv() { command -v setpriv; }
has_openssl() { command -v openssl; }
has_curl() { command -v curl; }
has_postgres() { compgen -G '/usr/lib/postgresql/*/bin/initdb' || command -v initdb; }
has_psql() { command -v psql; }
has_redis() { command -v redis-server && command -v redis-cli; }
has_chromium() { command -v chromium; }
has_chromedriver() { command -v chromedriver; }
has_node() { command -v node; }
has_procps() { command -v pgrep; }
has_compose() { docker compose version || docker-compose version; }
# The system's interpreter, because that is the one the tests start: another one earlier in PATH doesn't see
# Debian's packages.
has_aiosmtpd() { /usr/bin/python3 -c 'import aiosmtpd'; }
has_pip() { has_pymerkle || /usr/bin/python3 -m pip --version; }
# An implementation of the log's tree that isn't ours and isn't Rust. Debian has none, so it lies beside the tests.
python_extra=$(cd "$(dirname "$0")/.." && pwd)/tests/.python
has_pymerkle() { PYTHONPATH=$python_extra /usr/bin/python3 -c 'import pymerkle'; }

# check | Debian package | what it is, for other systems
needs=(
    "cc|build-essential|a C and C++ compiler"
    "make|make|GNU make"
    "setpriv|util-linux|setpriv, of util-linux"
    "openssl|openssl|the openssl command"
    "curl|curl|the curl command"
    "postgres|postgresql|PostgreSQL 15 or newer, with initdb and pg_basebackup in PATH"
    "psql|postgresql-client|psql"
    "redis|redis-server|Redis 7 or newer, with redis-server and redis-cli in PATH"
    "chromium|chromium|Chromium, as chromium in PATH"
    "chromedriver|chromium-driver|ChromeDriver of the same version, as chromedriver in PATH"
    "compose|docker-compose|docker compose (only its 'config' command is used; no engine)"
    "node|nodejs|Node.js, as node in PATH"
    "procps|procps|kill and pgrep, of procps"
    "aiosmtpd|python3-aiosmtpd|the Python package aiosmtpd, for /usr/bin/python3"
    "pip|python3-pip|pip, for /usr/bin/python3"
)

missing() {
    local need
    for need in "${needs[@]}"; do
        "has_${need%%|*}" >/dev/null 2>&1 || printf '%s\n' "$need"
    done
}

mapfile -t absent < <(missing)
[[ ${#absent[@]} -eq 0 ]] && has_pymerkle >/dev/null 2>&1 && exit 0

if [[ ${#absent[@]} -ne 0 ]] && command -v apt-get >/dev/null; then
    as_root=()
    if [[ $EUID -ne 0 ]]; then
        as_root=(sudo -n)
        "${as_root[@]}" true 2>/dev/null || {
            echo "install-test-deps: run as root, or install: $(printf '%s\n' "${absent[@]}" | cut -d'|' -f2 | xargs)" >&2
            exit 1
        }
    fi

    # Debian starts a server when its package is installed. The tests start their own, so nothing else should run
    # afterwards: policy-rc.d says so to the maintainer scripts. One that is there already is left as it is.
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        trap '"${as_root[@]}" rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
        "${as_root[@]}" chmod 755 "$policy"
    fi

    mapfile -t packages < <(printf '%s\n' "${absent[@]}" | cut -d'|' -f2)
    echo "install-test-deps: installing ${packages[*]}"
    log=$(mktemp)
    apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get --quiet --yes -o Acquire::Retries=3)
    if ! { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "${packages[@]}"; } >"$log" 2>&1; then
        tail -n 40 "$log" >&2
    fi
    rm -f "$log"
fi

mapfile -t absent < <(missing)
if [[ ${#absent[@]} -ne 0 ]]; then
    echo "install-test-deps: the tests need, and this machine lacks:" >&2
    printf '%s\n' "${absent[@]}" | while IFS='|' read -r _ _ what; do echo "  - $what" >&2; done
    exit 1
fi

if ! has_pymerkle >/dev/null 2>&1; then
    echo "install-test-deps: installing pymerkle into tests/.python"
    PIP_ROOT_USER_ACTION=ignore /usr/bin/python3 -m pip install --quiet --no-deps --upgrade --target "$python_extra" \
        pymerkle==7.0.0 cachetools==5.5.2
    has_pymerkle
fi
