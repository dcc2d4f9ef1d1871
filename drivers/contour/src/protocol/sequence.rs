//! Order of the frames of one transmission (LIS1-A frame numbers, 1 to 7, then 0, then 1).

/// Checks the number of each good frame against the one before.
#[derive(Clone, Debug, Default)]
pub struct Sequence {
    previous: Option<u8>,
}

/// What a frame number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The next frame: use it and acknowledge it.
    Next,
    /// The previous frame again, after our NAK or a lost ACK: acknowledge it, do not use it.
    Duplicate,
    /// Frames are missing; the download can no longer be complete.
    Gap {
        /// The number that should have come.
        expected: u8,
    },
}

impl Sequence {
    /// Creates the check for a new transmission, whose first frame is 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the number of the next frame.
    pub fn expected(&self) -> u8 {
        self.previous.map_or(1, |previous| (previous + 1) % 8)
    }

    /// Judges a frame number. Only [`Order::Next`] moves the expectation.
    pub fn check(&mut self, number: u8) -> Order {
        let expected = self.expected();
        if number == expected {
            self.previous = Some(number % 8);
            Order::Next
        } else if self.previous == Some(number) {
            Order::Duplicate
        } else {
            Order::Gap { expected }
        }
    }

    /// Starts again at frame 1, as after every ENQ.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(numbers: &[u8]) -> Vec<Order> {
        let mut sequence = Sequence::new();
        numbers
            .iter()
            .map(|number| sequence.check(*number))
            .collect()
    }

    #[test]
    fn numbers_wrap_from_seven_to_zero() {
        assert!(
            run(&[1, 2, 3, 4, 5, 6, 7, 0, 1, 2])
                .iter()
                .all(|order| *order == Order::Next)
        );
    }

    #[test]
    fn frame_seven_repeated_at_the_wrap_is_a_duplicate_simulated() {
        let orders = run(&[1, 2, 3, 4, 5, 6, 7, 7, 7, 0, 0, 1]);
        use Order::{Duplicate, Next};
        assert_eq!(
            orders[6..],
            [Next, Duplicate, Duplicate, Next, Duplicate, Next]
        );
    }

    #[test]
    fn anything_else_is_a_gap() {
        assert_eq!(run(&[1, 3]), [Order::Next, Order::Gap { expected: 2 }]);
        assert_eq!(run(&[1, 2, 1])[2], Order::Gap { expected: 3 });
        assert_eq!(run(&[2]), [Order::Gap { expected: 1 }]);
        assert_eq!(run(&[0]), [Order::Gap { expected: 1 }]);
        assert_eq!(run(&[200]), [Order::Gap { expected: 1 }]);
    }

    #[test]
    fn reset_expects_frame_one_again() {
        let mut sequence = Sequence::new();
        sequence.check(1);
        sequence.reset();
        assert_eq!(sequence.check(1), Order::Next);
    }
}
