// Empties a queue with four of sqs-consumer's consumers, ten messages a call: `sqs_consumer.mjs QUEUE COUNT`.
import { SQSClient } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

const [queueUrl, count] = [process.argv[2], Number(process.argv[3])];
const sqs = new SQSClient({ endpoint: process.env.AWS_ENDPOINT_URL, region: process.env.AWS_REGION });
const [began, processor] = [process.hrtime.bigint(), process.cpuUsage()];
let [left, receives] = [count, 0];

function consumer() {
  const one = Consumer.create({
    queueUrl, sqs, batchSize: 10, waitTimeSeconds: 0, pollingWaitTimeMs: 0, visibilityTimeout: 120,
    handleMessageBatch: async (messages) => messages,
  });
  one.on("response_processed", () => { receives += 1; });
  one.on("message_processed", () => { left -= 1; });
  one.on("error", (error) => { console.error(error); process.exit(1); });
  return one;
}

const consumers = Array.from({ length: 4 }, consumer);
consumers.forEach((one) => one.start());
while (left > 0) await new Promise((resolve) => setTimeout(resolve, 2));
consumers.forEach((one) => one.stop({ abort: true }));
const used = process.cpuUsage(processor);
const seconds = Number(process.hrtime.bigint() - began) / 1e9;
console.log(JSON.stringify({ seconds, processor: (used.user + used.system) / 1e6, receives }));
process.exit(0);
