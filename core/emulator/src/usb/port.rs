//! One end of a USB/IP stream: the device's.

use std::collections::{HashSet, VecDeque};

use super::device::{Transfer, UsbDevice};
use super::wire::{HEADER_SIZE, MOST_DATA, Reply, Request, WireError};
use crate::audit::Audit;

/// Transfers that may wait for the device at the same time.
const MOST_WAITING: usize = 256;

/// A device behind a stream of USB/IP messages, past the import of the device.
///
/// A transfer that the device is not ready for waits, those behind it on the same endpoint with it,
/// until the device is ready, the host takes it back, or the device is unplugged.
pub struct UsbipPort {
    device: UsbDevice,
    input: Vec<u8>,
    output: Vec<u8>,
    waiting: VecDeque<(u32, Transfer)>,
    unplugged: bool,
}

impl UsbipPort {
    /// Plugs a device in.
    pub fn new(device: UsbDevice) -> Self {
        Self {
            device,
            input: Vec::new(),
            output: Vec::new(),
            waiting: VecDeque::new(),
            unplugged: false,
        }
    }

    /// Takes bytes from the host; messages may be cut anywhere.
    ///
    /// # Errors
    /// When they are not USB/IP; the stream is of no further use then.
    pub fn receive(&mut self, mut bytes: &[u8]) -> Result<(), WireError> {
        // No more than one message is ever kept.
        while !bytes.is_empty() {
            let room = (HEADER_SIZE + MOST_DATA).saturating_sub(self.input.len());
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.input.extend_from_slice(now);
            bytes = later;
            while let Some(request) = Request::take(&mut self.input)? {
                self.handle(request)?;
            }
        }
        Ok(())
    }

    /// Lets virtual time go by.
    pub fn pass(&mut self, elapsed_ms: u32) {
        self.device.pass(elapsed_ms);
        self.go_on();
    }

    /// Takes what there is for the host.
    pub fn send(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Virtual time until a waiting transfer may end; `None` until the host does something.
    pub fn wait_ms(&self) -> Option<u32> {
        let waits = self.waiting.iter();
        waits
            .filter_map(|(_, transfer)| self.device.wait_ms(transfer.endpoint))
            .min()
    }

    /// The device has left: the stream is to be shut down.
    pub fn is_unplugged(&self) -> bool {
        self.unplugged
    }

    /// What the device noticed of its hosts.
    pub fn audit(&self) -> Audit {
        self.device.audit()
    }

    fn handle(&mut self, request: Request) -> Result<(), WireError> {
        match request {
            Request::Submit { number, transfer } => {
                if self.waiting.len() >= MOST_WAITING {
                    return Err(WireError::TooMany);
                }
                self.waiting.push_back((number, transfer));
                self.go_on();
            }
            Request::Unlink { number, target } => {
                let before = self.waiting.len();
                self.waiting.retain(|(number, _)| *number != target);
                let forgotten = self.waiting.len() < before;
                self.reply(&Reply::Unlinked { number, forgotten });
            }
        }
        Ok(())
    }

    /// Ends every transfer that the device is ready for, in the order of each endpoint.
    fn go_on(&mut self) {
        loop {
            let mut held = HashSet::new();
            let mut ended = None;
            for (at, (number, transfer)) in self.waiting.iter().enumerate() {
                if self.unplugged || held.contains(&transfer.endpoint) {
                    continue;
                }
                match self.device.transfer(transfer) {
                    Ok(Some(how)) => {
                        ended = Some((at, *number, how));
                        break;
                    }
                    Ok(None) => {
                        held.insert(transfer.endpoint);
                    }
                    // What waits stays unanswered, as for any device that is gone.
                    Err(_) => self.unplugged = true,
                }
            }
            let Some((at, number, ended)) = ended else {
                return;
            };
            self.waiting.remove(at);
            self.reply(&Reply::Submitted { number, ended });
        }
    }

    fn reply(&mut self, reply: &Reply) {
        if !self.unplugged {
            reply.append(&mut self.output);
        }
    }
}
