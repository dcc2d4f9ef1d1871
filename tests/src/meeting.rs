//! Where a test meets a plugin that stands still: two named pipes.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::mpsc::channel;
use std::thread;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::PATIENCE;

/// A place to wait for a plugin, and to let it go.
#[derive(Debug)]
pub struct Meeting {
    here: PathBuf,
    until: PathBuf,
    opened: OnceLock<File>,
}

impl Meeting {
    /// Makes the pipes `NAME.here` and `NAME.until` in a folder.
    ///
    /// # Panics
    /// When the system makes no pipes there.
    pub fn new(folder: &Path, name: &str) -> Self {
        let pipe = |end: &str| {
            let path = folder.join(format!("{name}.{end}"));
            mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a named pipe");
            path
        };
        Self {
            here: pipe("here"),
            until: pipe("until"),
            opened: OnceLock::new(),
        }
    }

    /// The keys of the hostile plugin that send it here.
    pub fn keys(&self) -> String {
        let (here, until) = (self.here.display(), self.until.display());
        format!("here = \"{here}\"\nuntil = \"{until}\"\n")
    }

    /// Waits until the plugin is here.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait(&self) {
        let (sender, arrived) = channel();
        let here = self.here.clone();
        thread::spawn(move || {
            // Opening a pipe returns once the other end is open too.
            let _ = sender.send(File::open(here).map(drop));
        });
        arrived
            .recv_timeout(PATIENCE)
            .expect("the plugin comes to the meeting")
            .expect("the pipe opens");
    }

    /// Lets the plugin go, now or as soon as it begins to wait.
    ///
    /// # Panics
    /// When the pipe is gone.
    pub fn let_go(&self) {
        // Open for both, so that this returns although nobody may be there any more.
        self.opened.get_or_init(|| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(&self.until)
                .expect("the pipe opens")
        });
    }
}
