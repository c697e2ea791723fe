#!/bin/sh
# LocalStack from its Python package, without docker or an account, and the main workload on it: ./dev localstack
# Needs uv, and Python 3.13 (LocalStack's own code does not run on 3.11).
set -eu
cd "$(dirname "$0")/../.."

PORT=${LOCALSTACK_PORT:-14566}
HOME_DIR=${LOCALSTACK_HOME:-.state/localstack}
PYTHON=${LOCALSTACK_PYTHON:-3.13}

if [ ! -x "$HOME_DIR/env/bin/python" ]; then
    echo "installing LocalStack 4.14.0 into $HOME_DIR (once, 325 MB)" >&2
    uv venv --quiet --python "$PYTHON" "$HOME_DIR/env"
    # Use the dependencies as of its release, because a newer cbor2 breaks it.
    uv pip install --quiet --python "$HOME_DIR/env/bin/python" --exclude-newer 2026-03-05T00:00:00Z \
        'localstack-core[runtime]==4.14.0'
fi

mkdir -p "$HOME_DIR/files"
# The default gateway listens on every address; this one listens on loopback only and ends on SIGTERM.
env SERVICES=sqs,s3,secretsmanager,ssm,sts EAGER_SERVICE_LOADING=1 \
    GATEWAY_LISTEN="127.0.0.1:$PORT" GATEWAY_SERVER=hypercorn SQS_ENDPOINT_STRATEGY=path \
    DISABLE_EVENTS=1 SKIP_SSL_CERT_DOWNLOAD=1 DNS_ADDRESS=0 OVERRIDE_IN_DOCKER=0 \
    FILESYSTEM_ROOT="$PWD/$HOME_DIR/files" \
    "$HOME_DIR/env/bin/python" -m localstack.runtime.main >"$HOME_DIR/log" 2>&1 &
pid=$!
# Its shutdown has been seen to hang; it has no state to save, so it can be killed.
trap 'kill -KILL $pid 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM

.venv/bin/python - "http://127.0.0.1:$PORT/_localstack/health" "$HOME_DIR/log" <<'WAIT'
import sys, time, urllib.request
url, log = sys.argv[1:]
end = time.monotonic() + 180  # on a busy machine it takes more than a minute
while time.monotonic() < end:
    try:
        urllib.request.urlopen(url, timeout=2)
        sys.exit()
    except OSError:
        time.sleep(0.2)
sys.exit(f"LocalStack did not start; see {log}")
WAIT

if [ $# -gt 0 ]; then
    LOCALSTACK_URL="http://127.0.0.1:$PORT" "$@"
else
    .venv/bin/python -m orca_daemon local --endpoint-url "http://127.0.0.1:$PORT" --demo --exit
    LOCALSTACK_URL="http://127.0.0.1:$PORT" .venv/bin/python -m pytest -q -m outside tests/localstack
fi
