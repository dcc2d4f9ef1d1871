//! Looks beforehand whether a site will take readings; changes nothing there.

use glucopipe_sdk::Op;

use crate::answer::About;
use crate::config::Settings;
use crate::document::Collection;
use crate::permission::named;
use crate::session::{Session, Version};
use crate::trouble::{Kind, Trouble};

/// A clock that is off by more makes what is new look old, or the reverse.
const SKEW_MS: i64 = 2 * 60 * 1000;
/// The first version that keeps two treatments of one minute apart by `identifier`.
const KNOWS_IDENTIFIER: [u32; 3] = [15, 0, 7];
/// What a site says of itself once it has started.
const RUNNING: &str = "loaded";

/// Looks whether a site will take readings; gives remarks for the user.
pub(crate) fn check(op: &Op, settings: Settings) -> Result<Vec<String>, Trouble> {
    // A check says how it is now.
    let settings = Settings {
        retries: 0,
        ..settings
    };
    let asked_ms = op.utc_us().div_euclid(1000);
    let mut session = Session::open(op, &settings)?;
    let now_ms = i64::midpoint(asked_ms, op.utc_us().div_euclid(1000));
    let lacking = session.lacking()?;
    if !lacking.is_empty() {
        let text = format!("the token lacks {} at {}", named(&lacking), session.site());
        return Err(Trouble::new(Kind::Access, text));
    }
    if session.version == Version::V3 {
        session.ask_version_v3()?;
    }
    for &collection in session.collections() {
        session.look(collection, now_ms, now_ms)?;
    }
    let mut remarks = Vec::new();
    match &session.about {
        Some(about) => remarks.extend(about_site(&session, about, now_ms)),
        None => remarks.push(format!(
            "the token lacks `api:status:read` at {}: its version, clock and unit are not known",
            session.site()
        )),
    }
    if settings.site.is_plain() {
        remarks.push(format!(
            "the connection to {} is plain http",
            session.site()
        ));
    }
    Ok(remarks)
}

fn about_site(session: &Session<'_>, about: &About, now_ms: i64) -> Vec<String> {
    let site = session.site();
    let api = match session.version {
        Version::V1 => 1,
        Version::V3 => 3,
    };
    let unit = if about.shows_mmol { "mmol/L" } else { "mg/dL" };
    let version = &about.version;
    let mut remarks = vec![format!(
        "{site} is Nightscout {version}, API {api}, and shows {unit}"
    )];
    if let Some(state) = about.state.as_deref().filter(|state| *state != RUNNING) {
        remarks.push(format!("{site} is not ready: its state is `{state}`"));
    }
    let skew_ms = about
        .server_ms
        .map_or(0, |server_ms| server_ms.saturating_sub(now_ms));
    if skew_ms.abs() > SKEW_MS {
        let way = if skew_ms > 0 { "ahead of" } else { "behind" };
        let minutes = skew_ms.abs() / 60_000;
        remarks.push(format!(
            "the clock of {site} is {minutes} min {way} this computer's"
        ));
    }
    if session.collections().contains(&Collection::Treatments) && about.is_before(KNOWS_IDENTIFIER)
    {
        remarks.push(format!(
            "before version 15.0.7 a corrected time leaves a second treatment, which is then deleted; {site} is older"
        ));
    }
    remarks
}
