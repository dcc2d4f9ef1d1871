//! Plugs virtual meters into this computer: `glucopipe-usb-attach virtual:MODEL[?key=value&…] …`
//!
//! They stay until Ctrl-C, or until a fault unplugs them all. The keys are those of the selector, `audit`
//! and `zone` included. Needs root and the kernel module `vhci_hcd`.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use glucopipe_runtime::clock::Clock;
use glucopipe_runtime::transport::virtual_meter::VirtualMeter;
use glucopipe_usb_lane::Plug;

fn main() -> ExitCode {
    match attach(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            let _ = writeln!(std::io::stderr(), "{reason}");
            ExitCode::FAILURE
        }
    }
}

fn attach(selectors: impl Iterator<Item = String>) -> Result<(), String> {
    let clock = Clock::System;
    let mut plugs = Vec::new();
    for selector in selectors {
        let uri = selector.strip_prefix("virtual:").unwrap_or(&selector);
        let meter = VirtualMeter::parse(uri).map_err(|(cause, _)| format!("`{uri}`: {cause}"))?;
        let device = meter.scenario(&clock).usb_device();
        let plug = Plug::attach(device).map_err(|error| format!("`{uri}`: {error}"))?;
        plugs.push((meter, plug));
    }
    if plugs.is_empty() {
        return Err("say which meters: `virtual:MODEL[?key=value&…]`".to_owned());
    }
    let stop = Arc::new(AtomicBool::new(false));
    let pressed = stop.clone();
    ctrlc::set_handler(move || pressed.store(true, Ordering::Relaxed))
        .map_err(|error| error.to_string())?;
    for (meter, plug) in plugs {
        plug.wait_for_end(|| stop.load(Ordering::Relaxed));
        meter.note(&plug.unplug());
    }
    Ok(())
}
