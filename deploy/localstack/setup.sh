#!/bin/sh
# LocalStack runs this when it is ready: creates queues and buckets as ORCA's Terraform does.
set -eu

queue() { # name, visibility, retention, attributes of a FIFO queue (or none)
    dead=$(awslocal sqs create-queue --queue-name "$1-deadletter$4" ${4:+--attributes FifoQueue=true} \
        --query QueueUrl --output text)
    arn=$(awslocal sqs get-queue-attributes --queue-url "$dead" --attribute-names QueueArn \
        --query Attributes.QueueArn --output text)
    policy=$(printf '{\\"deadLetterTargetArn\\":\\"%s\\",\\"maxReceiveCount\\":\\"10\\"}' "$arn")
    fifo=${4:+\"FifoQueue\":\"true\",\"ContentBasedDeduplication\":\"true\",}
    awslocal sqs create-queue --queue-name "$1$4" \
        --attributes "{$fifo\"VisibilityTimeout\":\"$2\",\"MessageRetentionPeriod\":\"$3\",\"RedrivePolicy\":\"$policy\"}"
}

queue orca-status-update 900 777600 .fifo
queue orca-recovery 1800 432000 ""
queue orca-internal-report 4320 432000 .fifo
queue orca-metadata 900 777600 .fifo
queue orca-restore 1800 432000 ""
for bucket in archive protected public reports export; do
    awslocal s3api create-bucket --bucket "orca-$bucket" \
        --create-bucket-configuration LocationConstraint=us-west-2
done
