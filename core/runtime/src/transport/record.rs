//! Writes down what goes over a link.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use glucopipe_sdk::link::{Kind, ScsiData, ScsiStatus};

use super::link::{Link, LinkContext, LinkError};
use super::transcript::{Event, header};
use crate::problem::{Code, Place, Problem};

/// A transcript being written.
#[derive(Clone)]
pub struct Recorder {
    file: Arc<Mutex<BufWriter<File>>>,
}

impl Recorder {
    /// Begins a transcript, readable by its owner alone.
    ///
    /// # Errors
    /// When the file cannot be made; an existing file is not overwritten.
    pub fn create(path: &Path) -> Result<Self, Problem> {
        let title = format!("cannot record to `{}`", path.display());
        let file =
            create(path).map_err(|error| refused(path, title, &error).kept("nothing was read"))?;
        Ok(Self {
            file: Arc::new(Mutex::new(BufWriter::new(file))),
        })
    }

    /// A link that is written down.
    pub fn wrap(&self, link: Box<dyn Link>, usb: Option<(&str, &str)>) -> Box<dyn Link> {
        let word = match link.kind() {
            Kind::Hid => "hid",
            Kind::Scsi => "scsi",
            Kind::Serial => "serial",
            Kind::File => "file",
        };
        self.write(&header(word, usb));
        Box::new(Recorded {
            link,
            recorder: self.clone(),
        })
    }

    fn write(&self, text: &str) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A transcript that cannot be written must not stop a read; what is missing shows at replay.
        let _ = file.write_all(text.as_bytes());
    }

    fn event(&self, event: &Event) {
        self.write(&event.line());
    }
}

/// Writes a whole transcript, readable by its owner alone; an existing file is not overwritten.
///
/// # Errors
/// When the file cannot be made or written; a half one is taken away.
pub fn save(path: &Path, text: &str) -> Result<(), Problem> {
    let title = format!("cannot write `{}`", path.display());
    let failed = |error| refused(path, title, &error).kept("no file was written or changed");
    let mut file = match create(path) {
        Ok(file) => file,
        Err(error) => return Err(failed(error)),
    };
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    written.map_err(|error| {
        // What cannot be written may not be taken away either.
        let _ = std::fs::remove_file(path);
        failed(error)
    })
}

fn create(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn refused(path: &Path, title: String, error: &std::io::Error) -> Problem {
    Problem::error(Code::TRANSCRIPT, title)
        .at(Place::Named(path.display().to_string()))
        .cause(error.to_string())
}

struct Recorded {
    link: Box<dyn Link>,
    recorder: Recorder,
}

impl Recorded {
    fn note_error(&self, error: &LinkError, wait_ms: u32) {
        match error {
            LinkError::Timeout => self.recorder.event(&Event::Silence(wait_ms)),
            LinkError::Lost => self.recorder.event(&Event::Lost),
            _ => {}
        }
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        let mut file = self
            .recorder
            .file
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let _ = file.flush();
    }
}

impl Link for Recorded {
    fn kind(&self) -> Kind {
        self.link.kind()
    }

    fn route(&self) -> Option<&str> {
        self.link.route()
    }

    fn read(
        &mut self,
        context: &LinkContext<'_>,
        wait_ms: u32,
        buffer: &mut [u8],
    ) -> Result<usize, LinkError> {
        let outcome = self.link.read(context, wait_ms, buffer);
        match &outcome {
            Ok(len) => self.recorder.event(&Event::In(buffer[..*len].to_vec())),
            Err(error) => self.note_error(error, wait_ms),
        }
        outcome
    }

    fn write(&mut self, context: &LinkContext<'_>, bytes: &[u8]) -> Result<(), LinkError> {
        self.recorder.event(&Event::Out(bytes.to_vec()));
        let outcome = self.link.write(context, bytes);
        if let Err(error) = &outcome {
            self.note_error(error, 0);
        }
        outcome
    }

    fn scsi(
        &mut self,
        context: &LinkContext<'_>,
        timeout_ms: u32,
        cdb: &[u8],
        data: ScsiData<'_>,
    ) -> Result<ScsiStatus, LinkError> {
        self.recorder.event(&Event::Command(cdb.to_vec()));
        let outcome = match data {
            ScsiData::From(buffer) => {
                let outcome =
                    self.link
                        .scsi(context, timeout_ms, cdb, ScsiData::From(&mut *buffer));
                if outcome.is_ok() {
                    self.recorder.event(&Event::In(buffer.to_vec()));
                }
                outcome
            }
            ScsiData::To(bytes) => {
                self.recorder.event(&Event::Out(bytes.to_vec()));
                self.link
                    .scsi(context, timeout_ms, cdb, ScsiData::To(bytes))
            }
            ScsiData::None => self.link.scsi(context, timeout_ms, cdb, ScsiData::None),
        };
        match &outcome {
            Ok(status) => self.recorder.event(&Event::Status(
                status.status,
                status.residue,
                status.sense.clone(),
            )),
            Err(error) => self.note_error(error, timeout_ms),
        }
        outcome
    }

    fn configure_serial(
        &mut self,
        baud: u32,
        data_bits: u32,
        parity: u32,
        stop_bits: u32,
    ) -> Result<(), LinkError> {
        self.link
            .configure_serial(baud, data_bits, parity, stop_bits)
    }
}
