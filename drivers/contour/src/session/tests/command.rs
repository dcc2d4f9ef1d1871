//! Command mode: the way in, one message at a time, and the way out.

use super::super::command::Reply;
use super::*;
use crate::protocol::command::{Command, Ending};

const READ_DATE: Command = Command::Date(Ending::Cr);

impl Talk {
    /// A meter in command mode, behind its refused offer.
    fn commanding() -> Self {
        let mut talk = Self::woken(Goal::Command);
        assert_eq!(talk.says(&opening(5)), [NAK]);
        assert_eq!(talk.says(&[EOT]), [ENQ]);
        assert!(!talk.machine.has_entered());
        assert_eq!(talk.says(&[ACK]), NOTHING);
        assert!(talk.machine.has_entered() && talk.machine.is_in_command_mode());
        assert_eq!(talk.machine.poll(talk.now), Step::Command);
        talk
    }

    /// Says something in command mode.
    fn tells(&mut self, command: Command) -> Vec<u8> {
        self.machine.say(command, self.now);
        self.sent()
    }

    /// The answer, once it is there.
    fn reply(&mut self) -> Option<Reply> {
        assert_eq!(self.sent(), NOTHING);
        self.machine
            .has_reply()
            .then(|| self.machine.take_reply())
            .flatten()
    }

    /// Leaves command mode, and refuses the data that are offered then.
    fn leaves(&mut self) {
        self.machine.cancel(self.now);
        assert_eq!(self.sent(), [EOT]);
        assert_eq!(self.says(&[ENQ]), [NAK]);
        assert_eq!(self.says(&[EOT]), NOTHING);
        assert_eq!(self.silence(), (300, vec![]));
        assert!(self.is_over());
    }
}

#[test]
fn messages_are_answered_by_ack_nak_or_a_text() {
    let mut talk = Talk::commanding();
    assert_eq!(talk.tells(Command::Read), b"R|");
    assert_eq!(talk.reply(), None);
    talk.says(&[ACK]);
    assert_eq!(talk.reply(), Some(Reply::Done));
    assert_eq!(talk.machine.poll(talk.now), Step::Command);
    assert_eq!(talk.tells(READ_DATE), b"D|\r");
    talk.says(b"D|1906");
    assert_eq!(talk.reply(), None);
    talk.says(b"26|\r\n\x06");
    let text = Reply::Text(b"D|190626|\r\n".to_vec());
    assert_eq!(talk.reply(), Some(text));
    assert_eq!(talk.tells(Command::Write), b"W|");
    talk.says(&[NAK]);
    assert_eq!(talk.reply(), Some(Reply::Refused));
    talk.leaves();
    // X, NAK, ENQ, three messages, EOT, NAK.
    assert_eq!(talk.machine.traffic().sent, 8);
}

#[test]
fn silence_is_an_answer_after_five_seconds() {
    let mut talk = Talk::commanding();
    talk.tells(Command::Read);
    assert_eq!(talk.quiet(), 5_000);
    assert_eq!(talk.reply(), Some(Reply::Silence));
    // What comes now belongs to nothing.
    talk.says(&[ACK]);
    assert_eq!(talk.machine.take_reply(), None);
    talk.tells(Command::Read);
    assert_eq!(talk.reply(), None);
    talk.leaves();
}

#[test]
fn only_the_first_answer_counts_and_none_of_before() {
    let mut talk = Talk::commanding();
    talk.tells(Command::Read);
    talk.says(&[ACK, NAK]);
    assert_eq!(talk.reply(), Some(Reply::Done));
    talk.tells(READ_DATE);
    talk.says(b"D|19\x15");
    assert_eq!(talk.reply(), Some(Reply::Refused));
}

#[test]
fn rests_end_at_their_time_or_when_the_meter_leaves() {
    let mut talk = Talk::commanding();
    talk.machine.rest(talk.now + 10_000, talk.now);
    assert_eq!(talk.quiet(), 10_000);
    assert_eq!(talk.reply(), Some(Reply::Silence));
    talk.machine.rest(talk.now + 10_000, talk.now);
    talk.says(&[EOT]);
    assert_eq!(talk.reply(), Some(Reply::Left));
    assert!(!talk.machine.is_in_command_mode());
    assert_eq!(talk.silence(), (300, vec![]));
    assert!(talk.is_over());
}

#[test]
fn meter_that_offers_its_data_in_command_mode_is_refused_simulated() {
    let mut talk = Talk::commanding();
    talk.tells(Command::Read);
    assert_eq!(talk.says(&[ENQ]), [NAK]);
    assert_eq!(talk.machine.take_reply(), Some(Reply::Left));
    assert_eq!(talk.says(&[EOT]), NOTHING);
    assert_eq!(talk.silence(), (300, vec![]));
    assert!(talk.is_over());
}

#[test]
fn command_mode_is_entered_again_by_the_ladder_simulated() {
    let mut talk = Talk::commanding();
    talk.tells(Command::Read);
    assert_eq!(talk.quiet(), 5_000);
    talk.machine.come_again(talk.now);
    assert_eq!(talk.sent(), [EOT]);
    assert_eq!(talk.says(&[ENQ]), [NAK]);
    assert_eq!(talk.says(&[EOT]), NOTHING);
    assert!(!talk.machine.has_entered());
    assert_eq!(talk.silence(), (300, vec![X]));
    assert_eq!(talk.says(&opening(5)), [NAK]);
    assert_eq!(talk.says(&[EOT]), [ENQ]);
    assert_eq!(talk.says(&[ACK]), NOTHING);
    assert!(talk.machine.is_in_command_mode());
    talk.leaves();
}

#[test]
fn enquiry_is_repeated_three_times_and_then_given_up_simulated() {
    let mut talk = Talk::woken(Goal::Command);
    assert_eq!(talk.says(&opening(5)), [NAK]);
    assert_eq!(talk.says(&[EOT]), [ENQ]);
    for _ in 1..3 {
        assert_eq!(talk.silence(), (2_000, vec![ENQ]));
    }
    assert_eq!(talk.silence(), (2_000, vec![]));
    assert!(talk.machine.has_entered() && !talk.machine.is_in_command_mode());
    // It may be in command mode although it does not say so.
    talk.hangs_up();
}

#[test]
fn meter_that_refuses_command_mode_is_left_simulated() {
    let mut talk = Talk::woken(Goal::Command);
    assert_eq!(talk.says(&opening(5)), [NAK]);
    assert_eq!(talk.says(&[EOT]), [ENQ]);
    assert_eq!(talk.says(&[NAK]), NOTHING);
    assert!(talk.machine.has_entered() && talk.machine.refuses_commands());
    talk.hangs_up();
}

#[test]
fn second_end_of_the_offer_is_no_answer_to_the_enquiry_simulated() {
    let mut talk = Talk::woken(Goal::Command);
    assert_eq!(talk.says(&opening(5)), [NAK]);
    assert_eq!(talk.says(&[EOT]), [ENQ]);
    assert_eq!(talk.says(&[EOT]), NOTHING);
    assert_eq!(talk.says(&[ACK]), NOTHING);
    assert!(talk.machine.is_in_command_mode());
}

#[test]
fn offers_in_place_of_command_mode_are_refused_and_not_for_ever_simulated() {
    let mut talk = Talk::woken(Goal::Command);
    assert_eq!(talk.says(&opening(5)), [NAK]);
    for _ in 0..TRIES_MAX {
        assert_eq!(talk.says(&[EOT]), [ENQ]);
        assert_eq!(talk.says(&[ENQ]), [NAK]);
    }
    assert_eq!(talk.says(&[EOT]), [ENQ]);
    assert_eq!(talk.says(&[ENQ]), NOTHING);
    assert!(talk.machine.has_entered() && !talk.machine.is_in_command_mode());
    talk.hangs_up();
}

#[test]
fn meter_that_cannot_be_refused_is_let_run_out_once_and_woken_again_simulated() {
    let mut talk = Talk::woken(Goal::Command);
    let single = frame(1, &header(1));
    assert_eq!(talk.says(&single), NOTHING);
    assert_eq!(talk.silence(), (300, vec![NAK]));
    assert_eq!(talk.says(&single), [ACK]);
    assert_eq!(talk.says(&last(2, "L|1||N")), [ACK]);
    assert_eq!(talk.silence(), (1_000, vec![X]));
    assert_eq!(talk.says(&opening(1)), [NAK]);
    assert_eq!(talk.says(&[EOT]), [ENQ]);
}

#[test]
fn cancelling_on_the_way_in_leaves_the_command_mode_that_may_come_simulated() {
    let mut talk = Talk::woken(Goal::Command);
    assert_eq!(talk.says(&opening(5)), [NAK]);
    assert_eq!(talk.says(&[EOT]), [ENQ]);
    talk.machine.cancel(talk.now);
    assert_eq!(talk.says(&[ACK]), NOTHING);
    assert_eq!(talk.silence(), (2_000, vec![EOT]));
    assert_eq!(talk.says(&[ENQ]), [NAK]);
    assert_eq!(talk.says(&[EOT]), NOTHING);
    assert_eq!(talk.silence(), (300, vec![]));
    assert!(talk.is_over());
}

#[test]
fn malformed_report_is_silence_simulated() {
    let mut talk = Talk::commanding();
    talk.tells(Command::Read);
    talk.machine.bad_report(talk.now);
    assert_eq!(talk.quiet(), 5_000);
    assert_eq!(talk.reply(), Some(Reply::Silence));
    talk.leaves();
}

#[test]
fn dead_link_ends_the_wait_for_an_answer() {
    let mut talk = Talk::commanding();
    talk.tells(Command::Read);
    talk.machine.lost();
    assert!(talk.machine.has_reply() && talk.machine.take_reply().is_none());
    assert!(talk.is_over());
}
