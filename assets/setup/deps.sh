#!/bin/sh
# Makes sure that this machine has what pgstream's tutorial and tests need: a PostgreSQL server
# (14 to 18), wal2json for it, a C compiler for cargo, and rustfmt and clippy.
#
# Says what is missing, installs only that (apt, dnf or brew; as root or through sudo), never
# upgrades a server that is there, and starts no server. Nothing missing: done in milliseconds.
#
#   deps.sh           install what is missing
#   deps.sh --check   only tell, exit 1 when something is missing
set -eu

MAJOR_MIN=14
MAJOR_MAX=18

say() { printf '%s\n' "deps: $*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# --- what is there -------------------------------------------------------------------------

# Directories that may hold a server's programs, strongest first; the same places, in the same
# order, as pgstream itself looks at (src/cluster/server.rs).
places() {
    if [ -n "${PGSTREAM_PG_BIN_DIR:-}" ]; then
        echo "$PGSTREAM_PG_BIN_DIR"
        return
    fi
    if have pg_config; then pg_config --bindir 2>/dev/null || true; fi
    versions /usr/lib/postgresql/ /bin
    echo "$PATH" | tr ':' '\n'
    versions /usr/pgsql- /bin
    versions /opt/homebrew/opt/postgresql@ /bin
    versions /usr/local/opt/postgresql@ /bin
    versions /home/linuxbrew/.linuxbrew/opt/postgresql@ /bin
}

# The existing directories <prefix><number><suffix>, highest number first.
versions() {
    for version in 30 29 28 27 26 25 24 23 22 21 20 19 18 17 16 15 14; do
        if [ -d "$1$version$2" ]; then echo "$1$version$2"; fi
    done
}

is_server() { [ -x "$1/initdb" ] && [ -x "$1/postgres" ]; }

# Prints the real directory of a server's programs, behind symbolic links.
real_dir() {
    real=$(readlink -f "$1/postgres" 2>/dev/null || echo "$1/postgres")
    real=${real%/postgres}
    if is_server "$real"; then echo "$real"; else echo "$1"; fi
}

version_of() { "$1/postgres" --version 2>/dev/null | sed 's/^[^)]*) *//; s/ .*//'; }
major_of() { version_of "$1" | sed 's/[^0-9].*//'; }

in_range() { [ -n "$1" ] && [ "$1" -ge "$MAJOR_MIN" ] && [ "$1" -le "$MAJOR_MAX" ]; }

has_wal2json() {
    lib=$(if [ -x "$1/pg_config" ]; then "$1/pg_config" --pkglibdir; fi)
    for lib_dir in "$1/../lib" "$1/../lib/postgresql" "$lib"; do
        if [ -f "$lib_dir/wal2json.so" ] || [ -f "$lib_dir/wal2json.dylib" ]; then return 0; fi
    done
    return 1
}

# Sets SERVER to the first usable server, and COMPLETE to the first that has wal2json too.
look() {
    SERVER=
    COMPLETE=
    while read -r dir; do
        is_server "$dir" || continue
        dir=$(real_dir "$dir")
        in_range "$(major_of "$dir")" || continue
        if [ -z "$SERVER" ]; then SERVER=$dir; fi
        if has_wal2json "$dir"; then COMPLETE=$dir; break; fi
    done <<LIST
$(places)
LIST
}

# --- how to install ------------------------------------------------------------------------

# Runs a command with the rights to install, and says which one.
as_root() {
    say "+ $*"
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        die "installing needs root, and there is no sudo: run \`make deps\` once as root"
    fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        --no-upgrade "$@"
}

apt_update() {
    if [ -z "${APT_UPDATED:-}" ]; then
        as_root apt-get update -q || die "apt-get update failed; is there a network?"
        APT_UPDATED=yes
    fi
}

apt_has() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'; }

# Debian starts a server at installation unless told not to; ours are throw-away ones.
without_main_cluster() {
    drop_in=/etc/postgresql-common/createcluster.d/zz-pgstream-deps.conf
    if [ -d /etc/postgresql-common ]; then "$@"; return; fi
    as_root mkdir -p "${drop_in%/*}"
    as_root sh -c "echo 'create_main_cluster = false' > $drop_in"
    status=0
    "$@" || status=$?
    as_root rm -f "$drop_in"
    return "$status"
}

# The highest major with a package postgresql-<major>$1 and the server itself.
apt_major() {
    apt-cache pkgnames postgresql- | sed -n "s/^postgresql-\([0-9]*\)$1\$/\1/p" |
        sort -rn | while read -r major; do
            if in_range "$major" && apt_has "postgresql-$major"; then echo "$major"; break; fi
        done
}

apt_server() {
    apt_update
    if [ -n "$SERVER" ]; then
        major=$(major_of "$SERVER")
        if apt_has "postgresql-$major-wal2json" && [ -d "/usr/lib/postgresql/$major" ]; then
            apt_install "postgresql-$major-wal2json"
            return
        fi
        say "no wal2json package for the server in $SERVER; installing a server that has one"
    fi
    major=$(apt_major -wal2json)
    if [ -n "$major" ]; then
        without_main_cluster apt_install "postgresql-$major" "postgresql-client-$major" \
            "postgresql-$major-wal2json"
        return
    fi
    say "no package of wal2json here; Ubuntu has it in universe, and others are at" \
        "https://wiki.postgresql.org/wiki/Apt"
    if [ -n "$SERVER" ]; then return; fi
    major=$(apt_major '')
    if [ -z "$major" ]; then
        die "no PostgreSQL $MAJOR_MIN to $MAJOR_MAX in this distribution's packages;" \
            "add https://wiki.postgresql.org/wiki/Apt and run make deps again"
    fi
    without_main_cluster apt_install "postgresql-$major" "postgresql-client-$major"
}

dnf_has() { dnf -q list --available "$1" >/dev/null 2>&1; }

dnf_server() {
    case "$SERVER" in
        /usr/pgsql-*) dnf_wal2json="wal2json_$(major_of "$SERVER")" ;;
        *) dnf_wal2json=wal2json ;;
    esac
    if [ -z "$SERVER" ]; then
        as_root dnf install -y postgresql-server postgresql
    fi
    if dnf_has "$dnf_wal2json"; then
        as_root dnf install -y "$dnf_wal2json"
    fi
}

brew_server() {
    if [ -z "$SERVER" ]; then
        say "+ brew install postgresql@17"
        brew install postgresql@17
    fi
    say "+ brew install wal2json"
    brew install wal2json || say "brew has no wal2json for this machine"
}

install_server() {
    if have apt-get; then
        apt_server
    elif have dnf; then
        dnf_server
    elif have brew; then
        brew_server
    else
        die "no apt-get, dnf or brew here; install PostgreSQL $MAJOR_MIN to $MAJOR_MAX and" \
            "wal2json (https://github.com/eulerto/wal2json) by hand, then name the directory of" \
            "initdb and postgres in PGSTREAM_PG_BIN_DIR"
    fi
}

install_compiler() {
    if have apt-get; then
        apt_update
        apt_install gcc libc6-dev
    elif have dnf; then
        as_root dnf install -y gcc
    else
        die "no C compiler; on macOS: xcode-select --install"
    fi
}

# --- the parts, each checked before anything is installed ------------------------------------

server() {
    look
    if [ -n "$COMPLETE" ]; then
        say "PostgreSQL $(version_of "$COMPLETE") with wal2json in $COMPLETE"
        return
    fi
    if [ -n "$SERVER" ]; then
        say "wal2json is missing for PostgreSQL $(version_of "$SERVER") in $SERVER"
    else
        say "no PostgreSQL server $MAJOR_MIN to $MAJOR_MAX found"
    fi
    if [ "$ONLY_CHECK" = yes ]; then MISSING=yes; return; fi
    install_server
    look
    if [ -z "$SERVER" ]; then die "still no PostgreSQL server after installing"; fi
    if [ -z "$COMPLETE" ]; then
        say "PostgreSQL $(version_of "$SERVER") in $SERVER, without wal2json: pgoutput works," \
            "--plugin wal2json does not; see https://github.com/eulerto/wal2json"
    else
        say "PostgreSQL $(version_of "$COMPLETE") with wal2json in $COMPLETE"
    fi
}

compiler() {
    if have cc || have gcc || have clang; then return; fi
    say "no C compiler, which cargo needs to link"
    if [ "$ONLY_CHECK" = yes ]; then MISSING=yes; return; fi
    install_compiler
}

rust() {
    have cargo || die "no cargo; install Rust from https://rustup.rs and try again"
    for part in rustfmt clippy; do
        if cargo "${part#rust}" --version >/dev/null 2>&1; then continue; fi
        say "cargo has no $part"
        if [ "$ONLY_CHECK" = yes ]; then MISSING=yes; continue; fi
        have rustup || die "no rustup to add it with; install $part beside cargo"
        say "+ rustup component add $part"
        rustup component add "$part"
    done
}

ONLY_CHECK=no
MISSING=no
case "${1:-}" in
    '') ;;
    --check) ONLY_CHECK=yes ;;
    *) die "unknown argument $1; usage: deps.sh [--check]" ;;
esac
server
compiler
rust
if [ "$MISSING" = yes ]; then die "run: make deps"; fi
