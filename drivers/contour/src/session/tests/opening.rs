//! The wake-up ladder, the variants of the opening, and what a meter may be found doing.

use super::super::opening::LADDER_MS;
use super::*;

#[test]
fn ladder_climbs_until_fifteen_seconds_have_passed_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    let start = talk.now;
    for rung in [EOT, ACK, NAK, X, EOT, ACK, NAK] {
        assert_eq!(talk.silence(), (2_000, vec![rung]));
    }
    assert_eq!(talk.silence(), (1_000, vec![]));
    assert_eq!(talk.now, start + LADDER_MS);
    assert_eq!(talk.silence(), (1_000, vec![]));
    assert!(talk.is_over() && !talk.machine.has_answered());
    assert!(talk.machine.header().is_none());
}

#[test]
fn ladder_of_a_known_meter_is_climbed_in_its_order_simulated() {
    let mut machine = Machine::new(Goal::Read, 0).with_ladder([ACK, X, NAK, EOT]);
    assert_eq!(machine.poll(0), Step::Wait { until: 100 });
    let mut now = 100;
    for rung in [ACK, X, NAK, EOT, ACK] {
        assert_eq!(machine.poll(now), Step::Send(Message::Byte(rung)));
        let until = now + 2_000;
        assert_eq!(machine.poll(now), Step::Wait { until });
        now = until;
    }
}

#[test]
fn input_is_drained_until_it_is_quiet() {
    let mut machine = Machine::new(Goal::Read, 0);
    machine.receive(&frame(3, "R|1"), 60);
    assert_eq!(machine.poll(60), Step::Wait { until: 160 });
    for now in (160..4_000).step_by(50) {
        machine.receive(b"junk", now);
    }
    assert_eq!(machine.poll(4_000), Step::Send(Message::Byte(X)));
}

#[test]
fn enquiry_in_its_own_report_is_answered_and_the_header_is_not() {
    let mut talk = Talk::woken(Goal::Read);
    let opening = opening(0);
    let (message, enq) = opening.split_at(opening.len() - 1);
    assert_eq!(talk.says(message), NOTHING);
    talk.now += 20;
    assert_eq!(talk.says(enq), [ACK]);
    assert!(!talk.machine.has_started());
}

#[test]
fn header_of_the_second_transmission_wins() {
    let mut talk = Talk::woken(Goal::Read);
    talk.says(&opening(5));
    assert_eq!(
        talk.machine.header().unwrap().processing_id,
        String::default()
    );
    talk.says(&frame(1, &header(7)));
    assert!(talk.machine.has_started());
    let header = talk.machine.header().unwrap();
    assert_eq!(
        (header.processing_id.as_str(), header.result_count),
        ("P", Some(7))
    );
    assert_eq!(talk.machine.headers(), 2);
}

#[test]
fn one_header_without_enquiry_is_fine_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    assert_eq!(talk.says(&frame(1, &header(0))), NOTHING);
    assert_eq!(talk.silence(), (300, vec![ACK]));
    assert!(talk.machine.has_started());
    assert_eq!(talk.says(&frame(2, "P|1")), [ACK]);
    assert_eq!(talk.says(&last(3, "L|1||N")), [ACK]);
    assert_eq!(talk.says(&[EOT]), NOTHING);
    assert!(talk.is_over() && talk.reasons().is_empty());
}

#[test]
fn nak_from_the_meter_gets_eot_and_a_new_start_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    assert_eq!(talk.says(&[NAK]), [EOT]);
    assert_eq!(talk.silence(), (2_000, vec![X]));
    assert_eq!(talk.says(&opening(0)), [ACK]);
}

#[test]
fn naks_without_end_do_not_keep_the_ladder_going_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    for _ in 0..TRIES_MAX {
        assert_eq!(talk.says(&[NAK]), [EOT]);
    }
    assert_eq!(talk.says(&[NAK]), NOTHING);
}

#[test]
fn meter_found_waiting_for_an_ack_ends_its_session_first_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    assert_eq!(talk.silence(), (2_000, vec![EOT]));
    assert_eq!(talk.says(&[EOT]), NOTHING);
    assert_eq!(talk.silence(), (300, vec![X]));
    assert_eq!(talk.says(&opening(0)), [ACK]);
}

#[test]
fn meter_found_repeating_a_frame_is_let_run_out_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    assert_eq!(talk.says(&result(5, 3)), [ACK]);
    assert_eq!(talk.says(&result(6, 4)), [ACK]);
    assert!(!talk.machine.has_started());
    assert_eq!(talk.says(&last(7, "L|1||N")), [ACK]);
    assert_eq!(talk.says(&[EOT]), NOTHING);
    assert_eq!(talk.silence(), (300, vec![X]));
    assert_eq!(talk.says(&opening(0)), [ACK]);
    assert!(talk.results().is_empty());
}

#[test]
fn meter_found_in_command_mode_offers_data_after_eot_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    assert_eq!(talk.says(&[NAK]), [EOT]);
    assert_eq!(talk.says(&[ENQ]), [ACK]);
    assert_eq!(talk.says(&frame(1, &header(0))), [ACK]);
    assert!(talk.machine.has_started());
}

#[test]
fn meter_found_offering_data_is_answered_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    assert_eq!(talk.says(&[ENQ]), [ACK]);
    assert_eq!(talk.says(&frame(1, &header(0))), [ACK]);
    assert!(talk.machine.has_started());
}

#[test]
fn damaged_first_header_is_asked_for_again_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    let first = frame(1, &header(0));
    assert_eq!(talk.says(&bad(first.clone())), NOTHING);
    assert_eq!(talk.silence(), (300, vec![NAK]));
    assert_eq!(talk.says(&first), NOTHING);
    assert_eq!(talk.silence(), (300, vec![ACK]));
    assert_eq!(talk.machine.tally().naks, 1);
}

#[test]
fn damaged_first_header_with_enquiry_is_made_up_for_by_the_second_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    let wire = [&[EOT][..], &bad(frame(1, &header(0))), &[ENQ]].concat();
    assert_eq!(talk.says(&wire), [ACK]);
    assert_eq!(talk.says(&frame(1, &header(0))), [ACK]);
    assert!(talk.machine.header().is_some());
}

#[test]
fn header_that_stays_damaged_is_given_up_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    for _ in 0..TRIES_MAX {
        assert_eq!(talk.says(&bad(frame(1, &header(0)))), NOTHING);
        assert_eq!(talk.silence(), (300, vec![NAK]));
    }
    assert_eq!(talk.says(&bad(frame(1, &header(0)))), NOTHING);
    assert_eq!(talk.silence(), (300, vec![ACK]));
    talk.hangs_up();
    assert!(talk.machine.header().is_none() && talk.machine.has_answered());
}

#[test]
fn malformed_report_while_waking_goes_on_with_the_ladder_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    talk.machine.bad_report(talk.now);
    assert_eq!(talk.says(b"tail of it"), NOTHING);
    assert_eq!(talk.silence(), (100, vec![EOT]));
}

#[test]
fn header_is_read_and_the_data_refused() {
    let mut talk = Talk::woken(Goal::Header);
    assert_eq!(talk.says(&opening(2_000)), [NAK]);
    assert!(!talk.is_over());
    assert_eq!(talk.says(&[EOT]), NOTHING);
    assert!(talk.is_over() && talk.machine.header().is_some());
}

#[test]
fn refusal_is_repeated_six_times_and_then_the_data_run_out_simulated() {
    let mut talk = Talk::woken(Goal::Header);
    assert_eq!(talk.says(&opening(3)), [NAK]);
    for _ in 1..TRIES_MAX {
        assert_eq!(talk.silence(), (2_000, vec![NAK]));
    }
    assert_eq!(talk.silence(), (2_000, vec![ACK]));
    talk.hangs_up();
}

#[test]
fn meter_that_cannot_be_refused_is_let_run_out_simulated() {
    let mut talk = Talk::woken(Goal::Header);
    let single = frame(1, &header(2));
    assert_eq!(talk.says(&single), NOTHING);
    assert_eq!(talk.silence(), (300, vec![NAK]));
    assert_eq!(talk.says(&single), [ACK]);
    for wire in [frame(2, "P|1"), result(3, 1), result(4, 2)] {
        assert_eq!(talk.says(&wire), [ACK]);
    }
    assert_eq!(talk.says(&last(5, "L|1||N")), [ACK]);
    assert_eq!(talk.silence(), (1_000, vec![]));
    assert!(talk.is_over() && talk.machine.header().is_some());
    assert!(talk.results().is_empty());
}

#[test]
fn offer_without_header_is_refused_once_to_get_the_header_simulated() {
    let mut talk = Talk::woken(Goal::Header);
    assert_eq!(talk.says(&[ENQ]), [NAK]);
    assert_eq!(talk.says(&[EOT]), NOTHING);
    assert_eq!(talk.silence(), (300, vec![X]));
    assert_eq!(talk.says(&[ENQ]), [ACK]);
    assert_eq!(talk.says(&frame(1, &header(1))), [ACK]);
    assert!(talk.machine.header().is_some());
    assert_eq!(talk.says(&frame(2, "P|1")), [ACK]);
    talk.hangs_up();
}

#[test]
fn cancelling_before_an_answer_refuses_an_offer_that_still_comes_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    talk.machine.cancel(talk.now);
    assert_eq!(talk.says(&opening(5)), [NAK]);
    assert_eq!(talk.says(&[EOT]), NOTHING);
    assert_eq!(talk.silence(), (300, vec![]));
    assert!(talk.is_over());
}

#[test]
fn cancelling_a_silent_meter_ends_what_an_earlier_run_may_have_left_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    talk.machine.cancel(talk.now);
    assert_eq!(talk.silence(), (2_000, vec![EOT]));
    assert_eq!(talk.silence(), (2_000, vec![]));
    assert!(talk.is_over());
}

#[test]
fn eot_that_wakes_an_idle_meter_on_the_way_out_is_followed_up_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    assert_eq!(talk.says(b"noise"), NOTHING);
    talk.machine.cancel(talk.now);
    assert_eq!(talk.says(&[ACK]), NOTHING);
    assert_eq!(talk.silence(), (2_000, vec![EOT]));
    assert_eq!(talk.says(&opening(5)), [NAK]);
    assert_eq!(talk.says(&[EOT]), NOTHING);
    assert_eq!(talk.silence(), (300, vec![]));
    assert!(talk.is_over());
}

#[test]
fn header_of_a_slow_meter_is_waited_for_behind_its_eot_simulated() {
    for pace in [20, 80, 100, 300] {
        let mut talk = Talk::woken(Goal::Read);
        assert_eq!(talk.says_slowly(&opening(2), pace), [ACK], "{pace}");
        assert_eq!(talk.says_slowly(&frame(1, &header(2)), pace), [ACK]);
        assert!(talk.machine.has_started());
    }
}

#[test]
fn header_of_a_slow_meter_may_follow_an_eot_in_its_own_report_simulated() {
    let mut talk = Talk::woken(Goal::Header);
    let opening = opening(2);
    assert_eq!(talk.says(&opening[..1]), NOTHING);
    assert_eq!(talk.says_slowly(&opening[1..], 100), [NAK]);
    assert_eq!(talk.says(&[EOT]), NOTHING);
    assert!(talk.is_over() && talk.machine.header().is_some());
}

#[test]
fn header_that_begins_late_on_a_rung_is_not_cut_off_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    talk.now += 1_850;
    assert_eq!(talk.says_slowly(&opening(2)[1..], 100), [ACK]);
}

#[test]
fn header_that_stops_in_the_middle_goes_on_with_the_ladder_after_a_rung_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    let start = talk.now;
    assert_eq!(talk.says(&opening(2)[..60]), NOTHING);
    while talk.now < start + 2_000 {
        assert_eq!(talk.sent(), NOTHING);
        talk.quiet();
    }
    assert_eq!((talk.now, talk.sent()), (start + 2_000, vec![X]));
}

#[test]
fn frames_that_begin_without_end_do_not_keep_the_ladder_going_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    let start = talk.now;
    while !talk.is_over() {
        talk.says(b"\x021H");
        talk.now += 100;
        assert!(talk.now < start + LADDER_MS + 12_000);
    }
    assert!(talk.machine.header().is_none());
}

#[test]
fn slow_offer_is_still_refused_on_the_way_out_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    talk.machine.cancel(talk.now);
    assert_eq!(talk.says_slowly(&opening(5), 150), [NAK]);
    assert_eq!(talk.says(&[EOT]), NOTHING);
    assert_eq!(talk.silence(), (300, vec![]));
    assert!(talk.is_over());
}

#[test]
fn header_repeated_without_a_pause_is_given_up_simulated() {
    let repeat = frame(1, &header(2));
    for (goal, wire) in [
        (Goal::Header, repeat.clone()),
        (Goal::Read, repeat.clone()),
        (Goal::Header, bad(repeat.clone())),
        (Goal::Read, [&[EOT][..], &repeat].concat()),
    ] {
        let mut talk = Talk::woken(goal);
        for _ in 0..TRIES_MAX {
            assert_eq!(talk.says(&wire), NOTHING);
            talk.now += 100;
        }
        assert_eq!(talk.says(&wire), [ACK]);
        let start = talk.now;
        while !talk.is_over() {
            talk.now += 100;
            talk.says(&wire);
            assert!(talk.now < start + 12_000);
        }
        assert_eq!(talk.machine.tally().frames_given_up, 1);
    }
}
