"""Where an emulator is known not to do as AWS documents, by party and test: what it does instead.

A test named here must fail on that party; the day it passes, it fails the run and its line is to be removed.
"""

from collections.abc import Mapping

DEVIATIONS: Mapping[str, Mapping[str, str]] = {
    "memory": {},
    "http": {},
    "moto": {
        "sequence_numbers_rise": "numbers are drawn at random",
        "the_head_is_deliverable_while_later_ones_are_in_flight": "any message in flight closes its group",
        "a_group_comes_in_order_after_its_leases_lapsed": "the last may come first",
        "an_expired_handle_does_not_delete": "it deletes",
        "an_expired_handle_does_not_extend": "it extends, and gives back what another receiver holds",
        "a_duplicate_is_known_after_the_first_was_deleted": "the id is forgotten with the message",
        "the_sender_of_a_duplicate_gets_the_id_of_the_first": "a new id and number are told",
        "duplicates_can_be_a_matter_of_each_group": "the scope is always the queue",
        "a_repeated_attempt_brings_the_same_messages": "attempt ids are ignored",
        "a_repeated_attempt_begins_the_lease_anew": "attempt ids are ignored",
        "a_bad_entry_of_a_batch_fails_alone": "the whole batch is refused",
        "a_dead_letter_names_the_queue_that_it_was_moved_from": "DeadLetterQueueSourceArn is not told",
        "what_sqs_moved_is_distinguished_from_what_was_sent": "DeadLetterQueueSourceArn is not returned",
        "a_poll_hears_that_its_queue_was_deleted": "it waits to its end and finds nothing",
        "attributes_of_a_queue_are_checked": "any number is taken",
        "dead_letters_can_be_moved_back_by_sqs": "not implemented: status 500",
        "visibility_cannot_be_changed_after_the_lease": "it can",
        "twelve_hours_are_the_longest_that_a_message_is_hidden_in_all": "the whole batch is refused for it",
        "an_abandoned_poll_takes_no_message": "the next message goes to it, hidden for a whole lease",
        "the_limit_counts_bytes": "it counts characters",
        "what_is_no_character_of_xml_is_refused": "any text is taken",
        "attributes_count_against_the_size": "only the body counts",
        "ten_attributes_are_the_most": "any number is taken",
        "an_attribute_has_a_value": "an empty value is taken",
    },
    "localstack": {
        "a_hidden_head_holds_up_what_is_visible_behind_it": "followers overtake it",
        "an_expired_handle_does_not_delete": "it deletes what another receiver holds",
        "an_expired_handle_does_not_extend": "it gives back what another receiver holds",
        "the_sender_of_a_duplicate_gets_the_id_of_the_first": "another number is told",
        "a_repeated_attempt_brings_the_same_messages": "attempt ids are ignored",
        "a_repeated_attempt_begins_the_lease_anew": "attempt ids are ignored",
        "a_bad_entry_of_a_batch_fails_alone": "the whole batch is refused",
        "a_poll_hears_that_its_queue_was_deleted": "it waits to its end and finds nothing",
        "attributes_of_a_queue_are_checked": "any number is taken",
        "a_dead_letter_queue_is_of_the_same_type": "any queue is taken",
        "dead_letters_can_be_moved_back_by_sqs": "receives go on counting",
        "visibility_cannot_be_changed_after_the_lease": "it can",
        "twelve_hours_are_the_longest_that_a_message_is_hidden_in_all": "there is no limit in all",
        "an_abandoned_poll_takes_no_message": "the next message goes to it, hidden for a whole lease",
        "ten_attributes_are_the_most": "any number is taken",
    },
}
