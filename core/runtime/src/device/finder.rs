//! Detection: attached meters, the drivers that know them, and the choice of one.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::disk::{Chosen, Disk, Refusal, Route};
use super::listing::{Attached, Found, best_driver, found, meters};
use super::selector::{Selector, normalise_serial};
use super::{Device, Target, udev};
use crate::clock::Clock;
use crate::plugin::{Component, ComponentKind, Registry};
use crate::problem::{Code, Place, Problem};
use crate::transport::transcript::Transcript;

/// Largest transcript that is read.
const TRANSCRIPT_LIMIT: u64 = 256 << 20;

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
        Ok(meters(&found()?, &drivers))
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
                let device = Device::of_virtual(meter, self.clock);
                let (vendor, product) = meter.usb();
                let component =
                    self.driver_for(driver, meter.link(), &vendor, &product, &device.label)?;
                Ok((component, device))
            }
            Selector::Replay(path) => {
                let transcript = read_transcript(path)?;
                let (link, usb) = (transcript.link.clone(), transcript.usb.clone());
                let device = Device::of_replay(path, transcript, self.clock);
                let (vendor, product) = usb.unwrap_or_default();
                let component = self.driver_for(driver, &link, &vendor, &product, &device.label)?;
                Ok((component, device))
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
        Device::new(target, usb, serial, label, self.clock)
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
                self.nobody_knows(None, label)
                    .hint("name the driver, with `driver = \"…\"` or `--driver`")
            })
    }

    fn nobody_knows(&self, driver: Option<&str>, label: &str) -> Problem {
        let drivers = self.drivers(driver).unwrap_or_default();
        let names: Vec<_> = drivers.iter().map(|driver| driver.id.as_str()).collect();
        let asked = match names.as_slice() {
            [] => "none found".to_owned(),
            names => names.join(", "),
        };
        let problem = Problem::error(Code::NO_METER, format!("no driver knows {label}"))
            .cause(format!("asked: {asked}"));
        let refused = match driver {
            None => self.registry.refused(ComponentKind::Driver),
            Some(_) => Vec::new(),
        };
        let refused = refused.iter().map(Problem::in_short);
        refused.fold(problem, Problem::cause)
    }

    fn choose_attached(
        &self,
        driver: Option<&str>,
        selector: &Selector,
    ) -> Result<(Arc<Component>, Device), Problem> {
        let found = found()?;
        let all = meters(&found, &self.drivers(driver)?);
        let path = match selector {
            Selector::Path(path) => Some(real_path(path)),
            _ => None,
        };
        let chosen = fitting(&all, selector, path.as_deref());
        let meter = match (chosen.as_slice(), &path) {
            ([], Some(path)) => return self.choose_stranger(driver, path, &found, &all),
            ([], None) => return Err(self.none_attached(driver, &all)),
            ([one], _) => *one,
            (several, _) => return Err(too_many(several)),
        };
        let component = self.registry.find(ComponentKind::Driver, &meter.driver)?;
        let name = format!("{} ({})", meter.model, meter.usb);
        match &meter.found {
            Found::Scsi(disk) => {
                let disk = (disk, path.and_then(|path| disk.route_at(&path)), false);
                let wanted = wanted(meter, selector);
                let device = self.disk(disk, &name)?;
                Ok((component, Device { wanted, ..device }))
            }
            Found::Hid(hid) => {
                let label = format!("{name} at {}", meter.node);
                if let Some(reason) = &meter.reason {
                    return Err(no_access(&label, reason.clone(), udev::hint()));
                }
                let (target, usb) = (Target::Hid(hid.node.clone()), meter.found.usb());
                let serial = meter.serial.clone();
                let device = self.device(target, usb, serial, label);
                let wanted = wanted(meter, selector);
                Ok((component, Device { wanted, ..device }))
            }
        }
    }

    /// A disk as a device: which, by which way alone, and whether no driver knows it.
    fn disk(
        &self,
        (disk, named, stranger): (&Disk, Option<Route>, bool),
        name: &str,
    ) -> Result<Device, Problem> {
        let chosen = Chosen {
            usb: disk.usb.clone(),
            named,
            stranger,
        };
        let node = match chosen.way(disk) {
            Ok(way) => way.node(),
            // It is waited for when it is opened: another glucopipe gives it back soon.
            Err((Refusal::Taken, nodes)) if !nodes.is_empty() => nodes[0].path.clone(),
            Err((refusal, nodes)) => {
                let at = nodes.first().map_or("no node", |node| node.path.as_str());
                let label = format!("{name} at {at}");
                return Err(no_access(&label, refusal.text(&nodes), refusal.hint()));
            }
        };
        let found = Found::Scsi(disk.clone());
        let label = format!("{name} at {node}");
        let target = Target::Scsi(chosen, node);
        Ok(self.device(target, found.usb(), found.serial(), label))
    }

    /// What is at a path that is no meter's as far as the drivers know. A disk is opened only for a driver that
    /// was named: its own proof protects the disk.
    fn choose_stranger(
        &self,
        driver: Option<&str>,
        path: &str,
        found: &[Found],
        all: &[Attached],
    ) -> Result<(Arc<Component>, Device), Problem> {
        let has = |found: &&Found| found.has(path) || found.has_partition(path);
        let at_path = found.iter().find(has);
        let plain = Disk::at(path);
        let (kind, disk) = match (at_path, &plain) {
            (Some(found), _) if found.has_partition(path) => ("partition of USB disk", None),
            (Some(Found::Hid(_)), _) => ("HID device", None),
            (Some(Found::Scsi(disk)), _) => ("USB disk", Some(disk)),
            (None, Some(disk)) => ("disk", Some(disk)),
            (None, None) if Path::new(path).is_dir() => ("folder", None),
            (None, None) if Path::new(path).exists() => ("device", None),
            (None, None) => return Err(self.none_attached(driver, all)),
        };
        let usb = at_path.and_then(Found::usb);
        let name = match &usb {
            Some((vendor, product)) => format!("{kind} {vendor}:{product}"),
            None => kind.to_owned(),
        };
        if let (Some(driver), Some(disk)) = (driver, disk) {
            let component = self.registry.find(ComponentKind::Driver, driver)?;
            let named = disk
                .route_at(path)
                .filter(|route| matches!(route, Route::SgIo(_)));
            if named.is_some() {
                return Ok((component, self.disk((disk, named, true), &name)?));
            }
        }
        let problem = self.nobody_knows(driver, &format!("the {name} at {path}"));
        let usb = usb.map(|(vendor, product)| format!("{vendor}:{product}"));
        let same = all.iter().find(|meter| Some(&meter.usb) == usb.as_ref());
        Err(match (same, driver, disk) {
            (Some(meter), ..) => {
                problem.hint(format!("this meter is read at `path:{}`", meter.node))
            }
            (None, None, Some(_)) => problem
                .hint("if it is a meter, name its driver, with `driver = \"…\"` or `--driver`"),
            _ => problem,
        })
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

fn no_access(label: &str, reason: String, hint: String) -> Problem {
    Problem::error(Code::DEVICE_ACCESS, format!("not allowed to open {label}"))
        .cause(reason)
        .kept("nothing was read or written")
        .hint(hint)
}

/// The path behind links, such as those in `/dev/disk/by-id`; names of other systems stay.
fn real_path(path: &str) -> String {
    let real = Path::new(path).canonicalize();
    real.map_or_else(|_| path.to_owned(), |real| real.display().to_string())
}

fn too_many(meters: &[&Attached]) -> Problem {
    let mut problem = Problem::error(Code::DEVICE_CHOICE, "more than one meter is attached");
    for meter in meters {
        problem = problem.cause(format!("{} ({}) at {}", meter.model, meter.usb, meter.node));
    }
    let first = meters.first().map_or("", |meter| meter.node.as_str());
    let by_node = format!("choose one by its node, as in `--device path:{first}`");
    let listed = meters.iter().any(|meter| meter.serial.is_some());
    problem.kept("nothing was read").hint(match listed {
        true => {
            format!("{by_node}, or with `serial:…` by the serial that `glucopipe devices` lists")
        }
        false => by_node,
    })
}

/// The meters that a selector means. Not every meter tells its serial before it is opened: where no other has the
/// serial, one that does not tell it may.
fn fitting<'a>(all: &'a [Attached], selector: &Selector, path: Option<&str>) -> Vec<&'a Attached> {
    let fits = |meter: &&Attached| match selector {
        Selector::Serial(serial) => meter
            .serial
            .as_deref()
            .is_some_and(|known| same_serial(known, serial)),
        Selector::Usb(vendor, product) => meter.usb == format!("{vendor}:{product}"),
        Selector::Path(_) => path.is_some_and(|path| meter.found.has(path)),
        _ => true,
    };
    let fitting: Vec<_> = all.iter().filter(fits).collect();
    match selector {
        Selector::Serial(_) if fitting.is_empty() => {
            all.iter().filter(|meter| meter.serial.is_none()).collect()
        }
        _ => fitting,
    }
}

/// The serial that a meter must turn out to have, as nothing else says so.
fn wanted(meter: &Attached, selector: &Selector) -> Option<String> {
    match selector {
        Selector::Serial(serial) if meter.serial.is_none() => Some(serial.clone()),
        _ => None,
    }
}

/// Compares serials: a USB descriptor may pad the meter's own with zeros in front, or leave its
/// regional part out.
fn same_serial(known: &str, asked: &str) -> bool {
    let known = normalise_serial(known);
    let trimmed = known.trim_start_matches('0');
    known == asked || (trimmed.len() >= 5 && asked.ends_with(trimmed))
}

/// Reads a transcript.
///
/// # Errors
/// When the file cannot be read, or is none.
pub(crate) fn read_transcript(path: &Path) -> Result<Transcript, Problem> {
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

    fn attached(node: &str, serial: Option<&str>) -> Attached {
        Attached {
            driver: "verio".into(),
            model: "OneTouch Verio Flex".into(),
            usb: "2766:0004".into(),
            serial: serial.map(str::to_owned),
            link: "scsi",
            node: node.into(),
            nodes: Vec::new(),
            mounted: None,
            accessible: true,
            reason: None,
            found: Found::Scsi(Disk::default()),
        }
    }

    #[test]
    fn a_meter_that_does_not_tell_its_serial_may_be_the_one() {
        let all = [
            attached("a", None),
            attached("b", Some("ONE1")),
            attached("c", Some("TWO2")),
        ];
        let chosen = |serial: &str| {
            let selector = Selector::parse(&format!("serial:{serial}")).unwrap();
            let fitting = fitting(&all, &selector, None);
            let [one] = fitting.as_slice() else {
                panic!("{}", fitting.len());
            };
            (one.node.clone(), wanted(one, &selector))
        };
        assert_eq!(chosen("two2"), ("c".into(), None));
        assert_eq!(chosen("six6"), ("a".into(), Some("SIX6".into())));
        // Two may be meant: it is for the user to say.
        let two = [attached("a", None), attached("b", None)];
        let selector = Selector::parse("serial:six6").unwrap();
        let unsure = fitting(&two, &selector, None);
        let hint = too_many(&unsure).hint.unwrap();
        assert!(unsure.len() == 2 && !hint.contains("serial:"), "{hint}");
        let told: Vec<_> = all.iter().collect();
        assert!(too_many(&told).hint.unwrap().contains("serial:"));
    }

    #[test]
    fn usb_serials_match_the_meters_own() {
        assert!(same_serial("0000000001234567", "7390-1234567"));
        assert!(same_serial("7801-1234567", "7801-1234567"));
        assert!(!same_serial("0000", "7390-1234567"));
        assert!(!same_serial("0000000007654321", "7390-1234567"));
    }
}
