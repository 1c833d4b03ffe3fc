# Sourced by build.sh: the native programs, used as a person would. Needs only bash, curl and the programs themselves.

smoke() { # DIR
    local bin work base='' token log=''
    bin=$(cd "$1" && pwd)
    command -v curl >/dev/null 2>&1 || {
        skip "smoke test" "apt-get install -y curl"
        return
    }
    title "smoke test of the native programs"
    work=$(mktemp -d)
    smoke_work=$work smoke_pid=
    trap 'smoke_end' RETURN
    log=$work/datasette.log

    check "datasette --version" grep -q '^datasette, version ' <("$bin/datasette" --version)
    check "litestream version" grep -qE '^[0-9]+\.[0-9]+' <("$bin/litestream" version)
    check "datasette plugins finds the hooks of a native plugin" grep -q '"startup"' <("$bin/datasette" plugins)
    mkdir "$work/plugins"
    check "the native program refuses --plugins-dir with a hint" smoke_refused 'not available in this native program.*docs/guides/plugins.md' \
        "$bin/datasette" --memory --plugins-dir "$work/plugins" --get /
    mkdir -p "$work/templates/pages/town"
    printf '%s' '{% capture title %}{{ name | upcase }}{% endcapture %}<i>{% for c in name %}{{ c | append: "<" }}{% endfor %}</i>' >"$work/templates/pages/town/{name}.html"
    check "the native program renders a template" grep -q '<i>Bern&lt;</i>' <("$bin/datasette" --memory --template-dir "$work/templates" --get /town/Bern)
    printf '%s' '{% extends "base.html" %}' >"$work/templates/table.html"
    check "the native program refuses Jinja with the way to convert" grep -q 'table.html:1: .*delete this line' \
        <("$bin/datasette" --memory --template-dir "$work/templates" --get / 2>&1)
    check "the sample database is made" dotnet run samples/make-demo.cs -- samples/space.sql "$work/space.db"
    # The folder is written out: the plugin's $PWD would be the repository.
    sed "s|file://\$PWD/demo/replica|file://$work/replica|" samples/metadata.yaml >"$work/metadata.yaml"

    "$bin/datasette" "$work/space.db" -m "$work/metadata.yaml" --root --secret smoke-test -p 0 >"$log" 2>&1 &
    smoke_pid=$!
    check "datasette listens" smoke_wait 200 grep -sqE "listening on http" "$log"
    base=$(sed -nE 's|.*listening on (http://[0-9.:]+)/?.*|\1|p' "$log" | head -n 1)
    token=$("$bin/datasette" create-token root --secret smoke-test)

    check "a page in HTML" smoke_get '<h1' "$base/space/planets"
    check "rows in JSON" smoke_get '"Neptune"' "$base/space/planets.json?_shape=array"
    check "full-text search" smoke_get 'Apollo 11' "$base/space/missions.json?_search=tranquility"
    check "a row inserted by token" smoke_get '"ok": *true' -X POST -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
        --data '{"row": {"name": "Smoke test", "operator": "CI", "launched": "2026-11-22", "summary": "Arrived."}}' "$base/space/missions/-/insert"
    check "the status page is not for everybody" test "$(curl -s -o /dev/null -w '%{http_code}' "$base/-/litestream-status")" = 403
    check "the status page is for root" smoke_get 'Litestream' -H "Authorization: Bearer $token" "$base/-/litestream-status"
    check "the row is in the replica while the server runs" smoke_wait 100 smoke_restored "$bin" "$work"

    kill -TERM "$smoke_pid"
    local code=0
    wait "$smoke_pid" || code=$?
    smoke_pid=
    check "SIGTERM stops the server cleanly" test "$code" = 0
    check "the server logged no failure" smoke_no_failure "$log"
    check "the row is in the replica after the stop" smoke_restored "$bin" "$work"
}

# The dotnet tool, installed from its package, loads the sample plugin.
smoke_tool() { # DIR
    local package work
    package=$(cd "$1" && pwd)
    title "smoke test of the dotnet tool"
    work=$(mktemp -d)
    smoke_work=$work smoke_pid=
    trap 'smoke_end' RETURN
    check "the tool is installed" dotnet tool install datasette-litestream --tool-path "$work/bin" --source "$package" --verbosity quiet
    mkdir "$work/plugins"
    dotnet build samples/HelloPlugin --verbosity quiet --nologo
    cp artifacts/bin/HelloPlugin/debug/HelloPlugin.dll "$work/plugins/"
    check "the tool loads a plugin" grep -q 'Hello, SQL!' \
        <("$work/bin/datasette" --memory --plugins-dir "$work/plugins" --get "/_memory/-/query.json?sql=select+hello('SQL')")
    check "the tool lists it" grep -q '"prepare_connection"' <("$work/bin/datasette" plugins --plugins-dir "$work/plugins")
    echo 'text' >"$work/plugins/text.dll"
    check "the tool names a file that is no plugin" smoke_refused 'text.dll is no .NET assembly' \
        "$work/bin/datasette" --memory --plugins-dir "$work/plugins" --get /
}

# smoke_refused PATTERN COMMAND...: fails with this one line on the error stream
smoke_refused() {
    local pattern=$1 error
    shift
    if error=$("$@" 2>&1 >/dev/null); then return 1; fi
    grep -qE "^Error: .*$pattern" <<<"$error" && [ "$(wc -l <<<"$error")" = 1 ]
}

smoke_end() {
    [ -z "${smoke_pid:-}" ] || kill -KILL "$smoke_pid" 2>/dev/null || true
    smoke_pid=
    [ -z "${smoke_work:-}" ] || rm -rf "$smoke_work"
    smoke_work=
    trap - RETURN
}

# smoke_wait TENTHS COMMAND...: until it succeeds
smoke_wait() {
    local left=$1
    shift
    until "$@"; do
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1))
        sleep 0.1
    done
}

smoke_get() { # PATTERN CURL-ARGUMENTS...
    local pattern=$1 answer
    shift
    answer=$(curl -s --fail-with-body "$@") || {
        printf '%s\n' "$answer"
        return 1
    }
    grep -qE "$pattern" <<<"$answer" || {
        printf 'no /%s/ in: %s\n' "$pattern" "$answer" | head -c 2000
        return 1
    }
}

smoke_restored() { # BIN WORK
    rm -f "$2"/copy.db*
    "$1/litestream" restore -o "$2/copy.db" "file://$2/replica/space" >"$2/restore.log" 2>&1 || return 1
    "$1/datasette" "$2/copy.db" --get '/copy/missions.json?_shape=array&name=Smoke+test' 2>&1 | grep -q 'Arrived\.'
}

smoke_no_failure() { ! grep -E ' (fail|crit|warn): ' "$1"; }
