//! Detection: attached meters, the drivers that know them, and the choice of one.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::selector::{Selector, normalise_serial};
use super::{Device, Target};
use crate::clock::Clock;
use crate::plugin::{Component, ComponentKind, KnownDevice, Registry};
use crate::problem::{Code, Place, Problem};
use crate::transport::hid::{self, HidNode};
use crate::transport::link::LinkError;
use crate::transport::transcript::Transcript;

/// Largest transcript that is read.
const TRANSCRIPT_LIMIT: u64 = 256 << 20;

/// An attached meter that a driver knows.
#[derive(Clone, Debug, Serialize)]
pub struct Attached {
    /// Driver that knows it.
    pub driver: String,
    /// Name of the model.
    pub model: String,
    /// USB ids, `1a79:7410`.
    pub usb: String,
    /// Serial of the USB descriptor, where readable.
    pub serial: Option<String>,
    /// Device node.
    pub node: String,
    /// Whether it can be opened.
    pub accessible: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// Finds devices and the drivers for them.
pub struct Finder<'a> {
    /// The plugins.
    pub registry: &'a Registry,
    /// Time for virtual meters.
    pub clock: &'a Clock,
}

impl Finder<'_> {
    /// The drivers that come into question: the named one, or all.
    ///
    /// # Errors
    /// When there is no driver of that name.
    fn drivers(&self, driver: Option<&str>) -> Result<Vec<Arc<Component>>, Problem> {
        match driver {
            Some(name) => Ok(vec![self.registry.find(ComponentKind::Driver, name)?]),
            None => Ok(self.registry.components(ComponentKind::Driver)),
        }
    }

    /// Attached meters that a driver knows, in the order of their nodes.
    ///
    /// # Errors
    /// When the system cannot list its devices, or the named driver is not there.
    pub fn attached(&self, driver: Option<&str>) -> Result<Vec<Attached>, Problem> {
        let drivers = self.drivers(driver)?;
        let nodes = hid::enumerate().map_err(|error| {
            let problem =
                Problem::error(Code::DEVICE_IO, "the system does not list its HID devices");
            match error {
                LinkError::Io(reason) => problem.cause(reason),
                _ => problem,
            }
        })?;
        Ok(nodes
            .iter()
            .filter_map(|node| attached(node, &drivers))
            .collect())
    }

    /// Chooses device and driver.
    ///
    /// # Errors
    /// No such device, no permission, more than one, no driver for it, a bad transcript.
    pub fn choose(
        &self,
        driver: Option<&str>,
        selector: &Selector,
    ) -> Result<(Arc<Component>, Device), Problem> {
        match selector {
            Selector::Virtual(meter) => {
                let usb = meter.usb();
                let label = format!("virtual {}", meter.model());
                let (vendor, product) = (&usb.0, &usb.1);
                let component = self.driver_for(driver, meter.link(), vendor, product, &label)?;
                let target = Target::Virtual(meter.clone());
                let serial = Some(meter.serial());
                Ok((component, self.device(target, Some(usb), serial, label)))
            }
            Selector::Replay(path) => {
                let transcript = read_transcript(path)?;
                let label = format!("recording `{}`", path.display());
                let (vendor, product) = transcript.usb.clone().unwrap_or_default();
                let component =
                    self.driver_for(driver, &transcript.link, &vendor, &product, &label)?;
                let usb = transcript.usb.clone();
                Ok((
                    component,
                    self.device(Target::Replay(transcript), usb, None, label),
                ))
            }
            Selector::Path(path) if Path::new(path).is_file() => {
                let label = format!("file `{path}`");
                let component = self.driver_for(driver, "file", "", "", &label)?;
                let target = Target::File(path.into());
                Ok((component, self.device(target, None, None, label)))
            }
            _ => self.choose_attached(driver, selector),
        }
    }

    fn device(
        &self,
        target: Target,
        usb: Option<(String, String)>,
        serial: Option<String>,
        label: String,
    ) -> Device {
        Device {
            target,
            usb,
            serial,
            label,
            recorder: None,
            clock: self.clock.clone(),
        }
    }

    /// The named driver, or the one that knows a device of this link and these ids.
    fn driver_for(
        &self,
        driver: Option<&str>,
        link: &str,
        vendor: &str,
        product: &str,
        label: &str,
    ) -> Result<Arc<Component>, Problem> {
        if let Some(name) = driver {
            return self.registry.find(ComponentKind::Driver, name);
        }
        let drivers = self.registry.components(ComponentKind::Driver);
        best_driver(&drivers, link, vendor, product)
            .map(|(component, _)| component)
            .ok_or_else(|| {
                let names: Vec<_> = drivers.iter().map(|driver| driver.id.as_str()).collect();
                Problem::error(Code::NO_METER, format!("no driver knows {label}"))
                    .cause(format!(
                        "asked: {}",
                        if names.is_empty() {
                            "none found".into()
                        } else {
                            names.join(", ")
                        }
                    ))
                    .hint("name the driver, with `driver = \"…\"` or `--driver`")
            })
    }

    fn choose_attached(
        &self,
        driver: Option<&str>,
        selector: &Selector,
    ) -> Result<(Arc<Component>, Device), Problem> {
        let all = self.attached(driver)?;
        let fits = |meter: &&Attached| match selector {
            Selector::Serial(serial) => meter
                .serial
                .as_deref()
                .is_some_and(|known| same_serial(known, serial)),
            Selector::Usb(vendor, product) => meter.usb == format!("{vendor}:{product}"),
            Selector::Path(path) => meter.node == *path,
            _ => true,
        };
        let chosen: Vec<&Attached> = all.iter().filter(fits).collect();
        let meter = match chosen.as_slice() {
            [] => return Err(self.none_attached(driver, &all)),
            [one] => *one,
            several => return Err(too_many(several)),
        };
        let label = format!("{} ({}) at {}", meter.model, meter.usb, meter.node);
        if let Some(reason) = &meter.reason {
            return Err(Problem::error(
                Code::DEVICE_ACCESS,
                format!("not allowed to open {label}"),
            )
            .cause(reason.clone())
            .kept("nothing was read or written")
            .hint(access_hint()));
        }
        let component = self.registry.find(ComponentKind::Driver, &meter.driver)?;
        let usb = meter
            .usb
            .split_once(':')
            .map(|(vendor, product)| (vendor.into(), product.into()));
        let target = Target::Hid(meter.node.clone());
        Ok((
            component,
            self.device(target, usb, meter.serial.clone(), label),
        ))
    }

    fn none_attached(&self, driver: Option<&str>, others: &[Attached]) -> Problem {
        let drivers = self.drivers(driver).unwrap_or_default();
        let models: usize = drivers
            .iter()
            .map(|driver| driver.about.devices.len())
            .sum();
        let names: Vec<_> = drivers.iter().map(|driver| driver.id.as_str()).collect();
        let mut problem = if others.is_empty() {
            Problem::error(Code::NO_METER, "no supported meter is attached").cause(format!(
                "looked for {models} models (drivers: {})",
                names.join(", ")
            ))
        } else {
            let mut problem = Problem::error(Code::NO_METER, "the chosen meter is not attached");
            for other in others {
                problem = problem.cause(format!("attached: {} at {}", other.model, other.node));
            }
            problem
        };
        problem = problem.hint(
            "plug the meter in, wait until it shows that it is connected, then run `glucopipe devices`\n\
             without a meter: `glucopipe dump --device virtual:contour-next-usb`",
        );
        problem
    }
}

fn access_hint() -> String {
    "install the rule once, then replug the meter:\n\
     glucopipe doctor --udev | sudo tee /etc/udev/rules.d/70-glucopipe.rules && sudo udevadm control --reload"
        .to_owned()
}

fn too_many(meters: &[&Attached]) -> Problem {
    let mut problem = Problem::error(Code::DEVICE_CHOICE, "more than one meter is attached");
    for meter in meters {
        problem = problem.cause(format!("{} ({}) at {}", meter.model, meter.usb, meter.node));
    }
    let first = meters.first().map_or("", |meter| meter.node.as_str());
    problem
        .kept("nothing was read")
        .hint(format!("choose one, as in `--device path:{first}`"))
}

/// Compares serials: a USB descriptor may pad the meter's own with zeros in front, or leave its
/// regional part out.
fn same_serial(known: &str, asked: &str) -> bool {
    let known = normalise_serial(known);
    let trimmed = known.trim_start_matches('0');
    known == asked || (trimmed.len() >= 5 && asked.ends_with(trimmed))
}

/// The driver that knows a device, an exact product before `*`.
fn best_driver(
    drivers: &[Arc<Component>],
    link: &str,
    vendor: &str,
    product: &str,
) -> Option<(Arc<Component>, KnownDevice)> {
    let find = |wanted: &str| {
        drivers.iter().find_map(|driver| {
            let mut devices = driver.about.devices.iter();
            let device = devices.find(|device| {
                device.link == link
                    && device.vendor.eq_ignore_ascii_case(vendor)
                    && device.product.eq_ignore_ascii_case(wanted)
            })?;
            Some((driver.clone(), device.clone()))
        })
    };
    find(product).or_else(|| find("*").filter(|(_, device)| !device.vendor.is_empty()))
}

fn attached(node: &HidNode, drivers: &[Arc<Component>]) -> Option<Attached> {
    let (vendor, product) = (
        format!("{:04x}", node.vendor),
        format!("{:04x}", node.product),
    );
    let (driver, device) = best_driver(drivers, "hid", &vendor, &product)?;
    let reason = inaccessible(&node.node);
    Some(Attached {
        driver: driver.id.clone(),
        model: device.model,
        usb: format!("{vendor}:{product}"),
        serial: node.serial.clone(),
        node: node.node.clone(),
        accessible: reason.is_none(),
        reason,
    })
}

/// Why a node cannot be opened by this user.
#[cfg(unix)]
fn inaccessible(node: &str) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    use rustix::fs::{Access, access};

    let path = Path::new(node);
    if !node.starts_with('/') || access(path, Access::READ_OK | Access::WRITE_OK).is_ok() {
        return None;
    }
    let uid = rustix::process::getuid().as_raw();
    Some(match std::fs::metadata(path) {
        Ok(metadata) => format!(
            "the node belongs to uid {} gid {} with mode {:04o}, and you are uid {uid}",
            metadata.uid(),
            metadata.gid(),
            metadata.mode() & 0o7777
        ),
        Err(error) => error.to_string(),
    })
}

#[cfg(not(unix))]
fn inaccessible(_node: &str) -> Option<String> {
    None
}

fn read_transcript(path: &Path) -> Result<Transcript, Problem> {
    let shown = path.display().to_string();
    let failed = |cause: String| {
        Problem::error(Code::TRANSCRIPT, format!("cannot replay `{shown}`")).cause(cause)
    };
    let named = |problem: Problem| problem.at(Place::Named(shown.clone()));
    let file = File::open(path).map_err(|error| named(failed(error.to_string())))?;
    if !file.metadata().is_ok_and(|found| found.is_file()) {
        return Err(named(failed("it is not a regular file".into())));
    }
    let mut text = String::new();
    let read = file.take(TRANSCRIPT_LIMIT + 1).read_to_string(&mut text);
    read.map_err(|error| named(failed(error.to_string())))?;
    if text.len() as u64 > TRANSCRIPT_LIMIT {
        return Err(named(failed(format!(
            "it has more than {TRANSCRIPT_LIMIT} bytes"
        ))));
    }
    Transcript::parse(&text)
        .map_err(|error| failed(error.reason).at(Place::Named(format!("{shown}:{}", error.line))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usb_serials_match_the_meters_own() {
        assert!(same_serial("0000000001234567", "7390-1234567"));
        assert!(same_serial("7801-1234567", "7801-1234567"));
        assert!(!same_serial("0000", "7390-1234567"));
        assert!(!same_serial("0000000007654321", "7390-1234567"));
    }
}
