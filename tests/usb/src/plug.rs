//! The virtual host controller: devices attached to this kernel, and unplugged.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use glucopipe_emulator::{Audit, UsbDevice, UsbipPort, parse};

use crate::log::KernelLog;
use crate::nodes::Nodes;

/// The controller.
const CONTROLLER: &str = "/sys/devices/platform/vhci_hcd.0";
/// State of a port without a device, in the controller's list.
const FREE: &str = "004";
/// USB 2 ports, which come first.
const PORTS: u8 = 8;
/// Full speed, in the kernel's numbers.
const FULL_SPEED: u8 = 2;
/// Longest wait for the kernel.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time between two looks at what the kernel does not announce.
const LOOK_AGAIN: Duration = Duration::from_millis(30);

/// A device that is plugged in, until this is dropped.
pub struct Plug {
    shared: Arc<Shared>,
    /// The device's end of the cable.
    stream: UnixStream,
    server: Option<JoinHandle<()>>,
    number: u8,
    interfaces: usize,
    log: KernelLog,
}

struct Shared {
    port: Mutex<UsbipPort>,
    /// Something went over the cable.
    moved: Condvar,
}

impl Shared {
    fn port(&self) -> MutexGuard<'_, UsbipPort> {
        self.port.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plug {
    /// Plugs a virtual meter in, described as behind `virtual:`, and waits until the kernel has made
    /// its nodes.
    ///
    /// # Panics
    /// When there is no such meter, or the kernel does not take it.
    pub fn meter(uri: &str) -> Self {
        let scenario = parse(uri).unwrap_or_else(|error| panic!("{uri}: {error}"));
        Self::device(scenario.usb_device())
    }

    /// Plugs a device in and waits until the kernel has made its nodes.
    ///
    /// # Panics
    /// When the kernel does not take it.
    pub fn device(device: UsbDevice) -> Self {
        let plug = Self::attach(device).unwrap_or_else(|error| panic!("attaching: {error}"));
        plug.nodes();
        plug
    }

    /// Plugs a device in.
    ///
    /// # Errors
    /// When the kernel does not take it.
    pub fn attach(device: UsbDevice) -> std::io::Result<Self> {
        let interfaces = device.interfaces();
        let (stream, cable) = UnixStream::pair()?;
        let log = KernelLog::from_now()?;
        let number = take_port(&cable)?;
        let shared = Arc::new(Shared {
            port: Mutex::new(UsbipPort::new(device)),
            moved: Condvar::new(),
        });
        let server = {
            let (shared, stream) = (shared.clone(), stream.try_clone()?);
            thread::spawn(move || serve(&shared, stream))
        };
        Ok(Self {
            shared,
            stream,
            server: Some(server),
            number,
            interfaces,
            log,
        })
    }

    /// What the kernel made of the device; waits until every interface has a driver.
    ///
    /// # Panics
    /// When it takes too long.
    pub fn nodes(&self) -> Nodes {
        let said = |words: &str| self.log.has(words);
        look_for("nodes", || {
            Nodes::find(&self.folder()?, self.interfaces, said)
        })
    }

    /// What the device noticed so far.
    pub fn audit(&self) -> Audit {
        self.shared.port().audit()
    }

    /// Waits until the device noticed something.
    ///
    /// # Panics
    /// When it takes too long.
    pub fn wait_until(&self, what: &str, noticed: impl Fn(&Audit) -> bool) {
        let until = Instant::now() + PATIENCE;
        let mut port = self.shared.port();
        while !noticed(&port.audit()) {
            assert!(Instant::now() < until, "waited in vain for {what}");
            let waited = self.shared.moved.wait_timeout(port, PATIENCE);
            port = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Pulls the plug, and tells what the device noticed.
    ///
    /// # Panics
    /// When the kernel does not let go of it.
    pub fn unplug(mut self) -> Audit {
        self.pull();
        self.audit()
    }

    /// Waits until the device leaves, or the given function says stop.
    pub fn wait_for_end(&self, stop: impl Fn() -> bool) {
        let mut port = self.shared.port();
        while !port.is_unplugged() && !stop() {
            let waited = self.shared.moved.wait_timeout(port, LOOK_AGAIN);
            port = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn pull(&mut self) {
        let Some(server) = self.server.take() else {
            return;
        };
        let _ = self.stream.shutdown(Shutdown::Both);
        let _ = server.join();
        look_for("the kernel to let go", || {
            (state(self.number)? == FREE && self.folder().is_none()).then_some(())
        });
    }

    /// The folder of the device, once the kernel has seen it.
    fn folder(&self) -> Option<PathBuf> {
        let buses = fs::read_dir(CONTROLLER).ok()?.flatten();
        // The controller has a bus for USB 2 and one for USB 3.
        let mut buses = buses.filter_map(|bus| {
            let speed = fs::read_to_string(bus.path().join("speed")).ok()?;
            let name = bus.file_name().into_string().ok()?;
            let number = name.strip_prefix("usb")?.to_owned();
            (speed.trim() == "480").then(|| (bus.path(), number))
        });
        let (bus, number) = buses.next()?;
        let folder = bus.join(format!("{number}-{}", self.number + 1));
        folder.exists().then_some(folder)
    }
}

/// Looks until something is there. Not under the lock: the kernel may hold what is looked at until its
/// transfers are answered.
fn look_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        thread::park_timeout(LOOK_AGAIN);
    }
}

impl Drop for Plug {
    fn drop(&mut self) {
        // A scenario that failed is told by its own words.
        if !thread::panicking() {
            self.pull();
        } else {
            let _ = self.stream.shutdown(Shutdown::Both);
        }
    }
}

/// State of a port in the controller's list.
fn state(number: u8) -> Option<String> {
    let list = fs::read_to_string(Path::new(CONTROLLER).join("status")).ok()?;
    list.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (hub, port, state) = (words.next()?, words.next()?, words.next()?);
        let same = hub == "hs" && port.parse() == Ok(number);
        same.then(|| state.to_owned())
    })
}

/// Gives the kernel its end of the cable, at the first free port.
fn take_port(cable: &UnixStream) -> std::io::Result<u8> {
    let attach = Path::new(CONTROLLER).join("attach");
    for number in 0..PORTS {
        if state(number).as_deref() != Some(FREE) {
            continue;
        }
        let device = u32::from(number) + 1;
        let words = format!("{number} {} {device} {FULL_SPEED}", cable.as_raw_fd());
        match fs::write(&attach, words) {
            Err(error) if error.kind() == ErrorKind::ResourceBusy => {}
            outcome => return outcome.map(|()| number),
        }
    }
    Err(std::io::Error::other("no free port; is vhci_hcd loaded?"))
}

/// Answers the kernel until one of both hangs up.
fn serve(shared: &Shared, mut stream: UnixStream) {
    let mut buffer = vec![0; 1 << 16];
    let mut then = Instant::now();
    loop {
        // A timeout of zero would be none at all.
        let wait = shared
            .port()
            .wait_ms()
            .map(|ms| Duration::from_millis(ms.max(1).into()));
        let received = match stream
            .set_read_timeout(wait)
            .and_then(|()| stream.read(&mut buffer))
        {
            Ok(0) => break,
            Ok(length) => buffer.get(..length).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => &[],
            Err(_) => break,
        };
        let elapsed = u32::try_from(then.elapsed().as_millis()).unwrap_or(u32::MAX);
        then += Duration::from_millis(elapsed.into());
        let mut port = shared.port();
        port.pass(elapsed);
        let understood = port.receive(received).is_ok();
        let sent = stream.write_all(&port.send()).is_ok();
        let stays = understood && sent && !port.is_unplugged();
        drop(port);
        shared.moved.notify_all();
        if !stays {
            let _ = stream.shutdown(Shutdown::Both);
            break;
        }
    }
}
