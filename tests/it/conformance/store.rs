//! The list of all cases, and the macro that makes a test of each for one adapter.

/// Makes one test per case for one adapter: `store_conformance!(name, path)`.
///
/// `path` is the absolute path (`crate::…`) of an `async fn() -> (Arc<dyn Store>, impl Sized)` that gives a fresh,
/// empty, migrated store and whatever has to stay alive beside it, such as a directory or a server. The tests appear
/// as `name::<part>::<case>`.
macro_rules! store_conformance {
    ($name:ident, $make:path) => {
        mod $name {
            $crate::conformance::store::store_conformance! { @parts $make;
                opening {
                    an_opened_approval_reads_back_whole,
                    the_consequences_of_a_change_are_stored_with_it,
                    an_idempotency_key_serves_once_whatever_for,
                    a_transfer_id_is_taken_while_its_approval_lives_or_was_redeemed,
                    a_transfer_id_is_free_again_after_a_refusal,
                    five_wait_at_once_and_no_sixth,
                    what_is_read_before_an_open_comes_in_one_go,
                    remembered_answers_are_forgotten_by_age,
                }
                transitions {
                    a_whole_life_reads_back_at_every_step,
                    every_other_end_reads_back,
                    an_old_or_future_version_is_refused,
                    an_approval_that_is_not_there_is_refused,
                    evidence_is_kept_with_its_approval,
                    a_receipt_stays,
                }
                guards {
                    nothing_is_released_before_its_time_by_the_stores_clock,
                    nothing_is_approved_or_redeemed_after_its_time_by_the_stores_clock,
                    nothing_expires_before_its_time_by_the_stores_clock,
                    a_guard_may_have_both_ends,
                }
                devices {
                    a_counter_must_rise,
                    an_authenticator_without_a_counter_stays_at_zero,
                    a_locked_or_unknown_device_signs_nothing,
                    failures_are_counted_from_what_was_read,
                    the_last_failure_locks,
                    a_signature_ends_the_row_of_failures,
                    a_device_is_found_by_cookie_and_by_key,
                    a_devices_channel_is_removed_once_and_no_other_is,
                    only_a_living_device_gets_a_channel,
                }
                races {
                    of_twenty_transitions_from_one_version_one_wins,
                    cancel_and_redeem_never_both_win,
                    many_changes_at_once_do_not_fail_for_each_other,
                    one_key_opens_one_approval,
                    one_transfer_lives_once,
                    the_cap_on_waiting_approvals_holds,
                    one_link_enrols_one_device,
                    a_failure_is_counted_once_from_each_reading,
                    a_notice_is_leased_to_one_worker,
                    a_delivery_is_leased_to_one_worker,
                }
                enrolling {
                    a_holder_reads_back_with_its_channels,
                    a_subject_is_one_backends_for_ever,
                    a_further_channel_joins_the_others,
                    a_new_link_ends_the_earlier_ones,
                    a_holder_gets_so_many_links_in_a_day,
                    wrong_codes_are_counted_from_what_was_read,
                    a_link_ends_once,
                    the_first_device_spends_the_link,
                    an_ended_or_late_link_enrols_nothing,
                    nobody_enrols_a_first_device_twice,
                    a_credential_belongs_to_one_device,
                }
                backends {
                    a_backend_reads_back_with_its_key,
                    a_backend_has_several_keys,
                    a_key_is_revoked_once,
                    a_secret_belongs_to_one_key,
                }
                endpoints {
                    an_endpoint_reads_back_to_its_own_backend,
                    a_backend_has_eight_endpoints_and_no_more,
                    an_endpoint_is_rewritten_in_place,
                    an_endpoint_that_is_not_there_is_not_rewritten,
                    a_removed_endpoint_takes_its_queue_along,
                    a_removed_endpoint_does_not_hold_up_a_transition,
                }
                told {
                    a_notice_delivered_after_the_approval_counts,
                    a_notice_delivered_before_the_approval_does_not,
                    a_notice_that_was_not_delivered_does_not,
                    a_bounced_notice_no_longer_counts,
                    a_notice_on_the_deciding_device_does_not,
                    a_notice_on_a_channel_that_is_too_new_does_not,
                    a_notice_about_another_approval_does_not,
                    a_notice_that_asks_for_an_answer_does_not,
                    the_first_that_counts_is_named,
                    nothing_was_delivered_before_the_stores_own_clock,
                }
                due {
                    what_falls_due_comes_in_order_and_in_pages,
                    what_ended_never_falls_due,
                    due_cases_come_for_what_exists,
                }
                notices {
                    a_queued_notice_is_leased_with_what_sending_needs,
                    a_leased_notice_is_not_leased_again,
                    an_expired_lease_comes_back_and_the_old_fence_is_refused,
                    a_delivered_notice_is_done,
                    a_retried_notice_waits_its_time,
                    a_failed_notice_gives_the_next_its_turn,
                    a_turn_waits_for_every_notice_before_it,
                    a_dropped_notice_gives_nobody_a_turn,
                    only_a_delivered_notice_bounces,
                    a_bounced_notice_gives_the_next_its_turn,
                    a_notice_tells_whose_it_is,
                    the_claim_is_bounded,
                }
                deliveries {
                    a_delivery_is_leased_with_what_sending_needs,
                    busy_endpoints_and_shares_are_respected,
                    a_settled_delivery_is_in_the_log,
                    a_failed_try_comes_again_at_its_time,
                    giving_up_ends_it,
                    a_gone_endpoint_is_switched_off,
                    an_expired_lease_comes_back_and_the_old_fence_changes_nothing,
                    the_log_is_paged_newest_first,
                    a_message_can_be_sent_again,
                }
                reading {
                    nothing_is_found_in_an_empty_store,
                    a_backends_approvals_are_filtered_and_paged,
                    a_holder_sees_the_living_and_the_newest_ended,
                    living_approvals_are_counted_by_state,
                    the_backlog_is_what_should_have_gone_out,
                    audit_entries_come_in_the_order_they_were_stored,
                    the_stores_clock_goes_forward,
                    what_is_looked_up_at_the_same_time_is_answered_each_for_itself,
                }
                erasing {
                    a_holder_of_whom_something_lives_is_not_erased,
                    an_erased_holder_is_gone_at_once_and_for_ever,
                    each_step_of_an_erasure_is_taken_once,
                }
                keeping {
                    deliveries_that_were_made_go_when_they_are_old,
                    rows_are_looked_at_in_bounded_numbers_and_once,
                    a_notice_about_what_lives_stays,
                }
            }
        }
    };
    (@parts $make:path; $($part:ident { $($case:ident,)+ })+) => {$(
        mod $part {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let (store, _alive) = $make().await;
                $crate::conformance::$part::$case(store).await;
            }
        )+}
    )+};
}

pub(crate) use store_conformance;
