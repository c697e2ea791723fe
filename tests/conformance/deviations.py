"""Known deviations of each emulator from AWS's documentation: emulator, then test, then what it does instead.

A test that is named here must fail on that emulator.  If it passes, the run fails: remove its line.
"""

from collections.abc import Mapping

DEVIATIONS: Mapping[str, Mapping[str, str]] = {
    "memory": {},
    "http": {},
    "moto": {
        "sequence_numbers_rise": "sequence numbers are random",
        "the_first_message_is_deliverable_while_later_ones_are_in_flight": "any in flight blocks its group",
        "a_group_is_received_in_order_after_its_leases_expired": "the last may come first",
        "an_expired_handle_does_not_delete": "it deletes",
        "an_expired_handle_does_not_extend": "it extends, and makes visible what another receiver holds",
        "a_duplicate_is_detected_after_the_first_was_deleted": "the id is forgotten with the message",
        "the_sender_of_a_duplicate_gets_the_id_of_the_first": "it returns a new id and sequence number",
        "deduplication_can_be_scoped_to_the_message_group": "the scope is always the queue",
        "a_repeated_receive_attempt_returns_the_same_messages": "attempt ids are ignored",
        "a_repeated_receive_attempt_restarts_the_lease": "attempt ids are ignored",
        "a_bad_entry_of_a_batch_fails_alone": "the whole batch is refused",
        "a_dead_letter_names_the_queue_that_it_was_moved_from": "DeadLetterQueueSourceArn is not returned",
        "only_a_dead_letter_that_sqs_moved_names_its_source": "DeadLetterQueueSourceArn is not returned",
        "a_long_poll_fails_if_its_queue_is_deleted": "it waits until its timeout and returns no message",
        "queue_attributes_out_of_range_are_refused": "any number is accepted",
        "a_message_move_task_returns_dead_letters_to_their_queue": "not implemented: status 500",
        "visibility_cannot_be_changed_after_the_lease_expired": "it can",
        "a_message_is_hidden_for_twelve_hours_in_total_at_most": "the whole batch is refused because of it",
        "a_cancelled_poll_receives_no_message": "the next message goes to it, hidden for a whole lease",
        "the_size_limit_counts_bytes": "it counts characters",
        "a_character_that_xml_does_not_allow_is_refused": "any text is accepted",
        "attributes_count_towards_the_size_limit": "only the body counts",
        "a_message_with_more_than_ten_attributes_is_refused": "any number is accepted",
        "an_attribute_with_an_empty_value_is_refused": "an empty value is accepted",
    },
    "localstack": {
        "a_hidden_first_message_blocks_the_visible_ones_behind_it": "followers overtake it",
        "an_expired_handle_does_not_delete": "it deletes what another receiver holds",
        "an_expired_handle_does_not_extend": "it makes visible what another receiver holds",
        "the_sender_of_a_duplicate_gets_the_id_of_the_first": "it returns another sequence number",
        "a_repeated_receive_attempt_returns_the_same_messages": "attempt ids are ignored",
        "a_repeated_receive_attempt_restarts_the_lease": "attempt ids are ignored",
        "a_bad_entry_of_a_batch_fails_alone": "the whole batch is refused",
        "a_long_poll_fails_if_its_queue_is_deleted": "it waits until its timeout and returns no message",
        "queue_attributes_out_of_range_are_refused": "any number is accepted",
        "a_dead_letter_queue_must_be_of_the_same_type": "any queue is accepted",
        "a_message_move_task_returns_dead_letters_to_their_queue": "the receive count continues",
        "visibility_cannot_be_changed_after_the_lease_expired": "it can",
        "a_message_is_hidden_for_twelve_hours_in_total_at_most": "there is no limit in total",
        "a_cancelled_poll_receives_no_message": "the next message goes to it, hidden for a whole lease",
        "a_message_with_more_than_ten_attributes_is_refused": "any number is accepted",
    },
}
