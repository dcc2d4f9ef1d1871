//! Text of the header record (contour.md section 5.1).

use super::model::Model;
use crate::civil::LocalTime;
use crate::frame::{FRAME_OVERHEAD, PAYLOAD_MAX};
use crate::rng::Rng;
use crate::scenario::{Align, Scenario};

/// Characters of a password.
const PASSWORD_CHARS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Length of a password.
const PASSWORD_LENGTH: usize = 6;
/// Info key nobody knows, used to fill a header up.
const FILLER: &str = "^e=";

/// Value of an info key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum InfoValue {
    /// The same whatever the unit.
    Fixed(&'static str),
    /// Display unit code.
    Unit,
    /// Measuring range; the key is left out where the model has none.
    Limits,
}

/// Which of the two headers of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transmission {
    /// The offer: processing id empty.
    Offer,
    /// The start of the data: processing id `P`.
    Data,
}

/// Makes the six characters that differ in every header.
pub(crate) fn password(rng: &mut Rng) -> String {
    (0..PASSWORD_LENGTH)
        .map(|_| char::from(rng.pick(PASSWORD_CHARS, b'A')))
        .collect()
}

/// Builds the record text.
pub(crate) fn text(
    model: &Model,
    scenario: &Scenario,
    which: Transmission,
    password: &str,
    count: i64,
    clock: LocalTime,
) -> String {
    let bare = compose(model, scenario, which, password, count, clock, "");
    let length = bare.len() + FRAME_OVERHEAD;
    let length = match (scenario.align, which) {
        // EOT in front, ENQ behind unless it comes later.
        (Align::First, Transmission::Offer) if model.enquiry_apart => length + 1,
        (Align::First, Transmission::Offer) => length + 2,
        (Align::Second, Transmission::Data) => length,
        _ => return bare,
    };
    let rest = (length + FILLER.len()) % PAYLOAD_MAX;
    let filler = format!("{FILLER}{}", "0".repeat(PAYLOAD_MAX - rest));
    compose(model, scenario, which, password, count, clock, &filler)
}

fn compose(
    model: &Model,
    scenario: &Scenario,
    which: Transmission,
    password: &str,
    count: i64,
    clock: LocalTime,
    filler: &str,
) -> String {
    let mut product = format!(
        "{}{}^{}^{}",
        model.prefix,
        model.entry.product_code,
        model.versions,
        model.region.to_owned() + &scenario.serial
    );
    if let Some(sku) = model.sku {
        product.push('^');
        product.push_str(sku);
    }
    if let Some(lead) = model.extra {
        product.push('^');
        product.push_str(lead);
        product.push_str(&scenario.serial);
    }
    let setting = model.setting(scenario.unit);
    let info: Vec<String> = model
        .info
        .iter()
        .filter_map(|(key, value)| {
            let value = match value {
                InfoValue::Fixed(text) => text,
                InfoValue::Unit => setting.code,
                InfoValue::Limits => setting.limits?,
            };
            Some(format!("{key}={value}"))
        })
        .collect();
    let info = info.join("^");
    let processing = match which {
        Transmission::Offer => "",
        Transmission::Data => "P",
    };
    let clock = clock.digits(model.header_seconds);
    let trailer = if model.trailing_field { "|" } else { "" };
    format!(
        r"H|\^&||{password}|{product}|{info}{filler}|{count}|||||{processing}|1|{clock}{trailer}"
    )
}
