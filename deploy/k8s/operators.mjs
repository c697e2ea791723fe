// Validates objects of KEDA and the Prometheus operator by the schemas of their own resource definitions.
// Reads a list of objects as JSON; `node operators.mjs <objects.json`.  deploy/check.sh installs the packages.
import { ScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject";
import { TriggerAuthentication } from "@kubernetes-models/keda/keda.sh/v1alpha1/TriggerAuthentication";
import { ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor";
import { readFileSync } from "node:fs";

const kinds = { ScaledObject, TriggerAuthentication, ServiceMonitor };
const objects = JSON.parse(readFileSync(0, "utf8")).filter((object) => object.kind in kinds);
for (const object of objects) {
  new kinds[object.kind](object).validate();
}
if (objects.length !== Object.keys(kinds).length) {
  throw new Error(`expected one object of each of ${Object.keys(kinds)}, found ${objects.length}`);
}
