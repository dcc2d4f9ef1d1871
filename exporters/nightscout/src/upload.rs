//! Brings finger-sticks to a site: look what is there, send what is not, believe nothing unseen.
//!
//! Any answer that is not a whole echo, and any silence, leads back to looking: what arrived is counted,
//! the rest is sent again with the same keys.

use std::collections::HashSet;

use glucopipe_sdk::Level;
use glucopipe_sdk::serde_json::{Map, Value};

use crate::answer::is_echo;
use crate::document::{Collection, Display, Form, Stick};
use crate::permission::right;
use crate::plan::{Found, Placed, Plan, Stale, plan};
use crate::session::{LOG, Session, Version};
use crate::trouble::{Kind, Trouble};

/// A change of zone moves a reading by at most 26 hours, and by one more with daylight saving.
const ZONE_MS: i64 = 27 * 3_600_000;
/// No correction of a clock is looked for beyond this.
const LONGEST_CORRECTION_MS: i64 = 50 * 366 * 86_400_000;
/// Failures in a row after which to ask whether the site and not a document is to blame. Halving finds a
/// single document among 500 in nine steps.
const PROBES: usize = 12;
/// Parts in a row of which nothing is taken, after which the site is to blame. Each may cost all patience.
const DOUBTS: usize = 5;

/// What became of a stick in one collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Not there yet.
    Open,
    Delivered,
    There,
    Refused(String),
}

/// An upload in progress.
pub(crate) struct Upload<'s, 'a> {
    session: &'s mut Session<'a>,
    sticks: &'s [Stick],
    form: Form,
    margin_ms: i64,
    /// Documents a request may have; less once a request was too large.
    batch: usize,
    fates: Vec<Fate>,
    /// Sticks that were sent: when they are found afterwards, they came from here.
    sent: HashSet<usize>,
    /// Called with the number of sticks done.
    progress: &'s dyn Fn(usize),
}

impl<'s, 'a> Upload<'s, 'a> {
    /// An upload of sticks, oldest first, into one collection.
    pub(crate) fn new(
        session: &'s mut Session<'a>,
        collection: Collection,
        sticks: &'s [Stick],
        clock_off_ms: i64,
        progress: &'s dyn Fn(usize),
    ) -> Self {
        let about = session.about.as_ref();
        let display = match about.is_some_and(|about| about.shows_mmol) {
            true => Display::MmolPerL,
            false => Display::MgPerDl,
        };
        Self {
            form: Form {
                collection,
                app: session.settings.app.clone(),
                display,
            },
            margin_ms: ZONE_MS + clock_off_ms.clamp(0, LONGEST_CORRECTION_MS),
            batch: session.settings.batch_size,
            fates: vec![Fate::Open; sticks.len()],
            sent: HashSet::new(),
            session,
            sticks,
            progress,
        }
    }

    /// What became of each stick.
    pub(crate) fn into_fates(self) -> Vec<Fate> {
        self.fates
    }

    /// Brings everything there. After an error what is not settled is still open.
    pub(crate) fn run(&mut self) -> Result<(), Trouble> {
        let mut doubtful: Vec<(Vec<usize>, Trouble)> = Vec::new();
        let mut next = 0;
        while next < self.sticks.len() {
            let end = (next + self.batch).min(self.sticks.len());
            let part: Vec<usize> = (next..end).collect();
            match self.deliver(part.clone()) {
                Ok(()) if self.has_taken(&part) => {
                    for (part, trouble) in doubtful.drain(..) {
                        self.isolate(part, trouble)?;
                    }
                }
                Ok(()) => {}
                // Whether documents or the site are to blame, the next part that it takes tells.
                Err(trouble) if trouble.may_be_a_document() && doubtful.len() + 1 < DOUBTS => {
                    doubtful.push((self.still_open(part), trouble));
                }
                Err(trouble) => return Err(trouble),
            }
            next = end;
            (self.progress)(next);
        }
        match doubtful.into_iter().next() {
            Some((_, trouble)) => Err(trouble),
            None => Ok(()),
        }
    }

    /// Whether the site took anything of a part.
    fn has_taken(&self, part: &[usize]) -> bool {
        part.iter()
            .any(|&index| self.fates[index] == Fate::Delivered)
    }

    fn still_open(&self, mut part: Vec<usize>) -> Vec<usize> {
        part.retain(|index| self.fates[*index] == Fate::Open);
        part
    }

    /// What would be sent and deleted, and what is there; asks and changes nothing.
    pub(crate) fn preview(&mut self) -> Result<Outlook, Trouble> {
        let mut outlook = Outlook::default();
        for start in (0..self.sticks.len()).step_by(self.batch) {
            let part: Vec<usize> = (start..self.sticks.len().min(start + self.batch)).collect();
            let (found, plan) = self.compare_patiently(&part)?;
            let refused = self.settle_hopeless(&part, &found, &plan)?;
            let documents: Vec<_> = plan
                .send
                .iter()
                .filter(|placed| !refused.contains(&part[placed.stick]))
                .map(|placed| self.document(&part, placed))
                .collect();
            outlook.documents += documents.len();
            outlook.requests += match self.session.version {
                Version::V1 => usize::from(!documents.is_empty()),
                Version::V3 => documents.len(),
            };
            let goes = |stale: &&Stale| !refused.contains(&part[stale.stick]);
            outlook.deletions += plan.stale.iter().filter(goes).count();
            for placed in &plan.send {
                let index = part[placed.stick];
                if self.fates[index] == Fate::Open {
                    self.fates[index] = Fate::Delivered;
                }
            }
            self.settle_there(&part, &plan);
        }
        Ok(outlook)
    }

    fn compare_patiently(&mut self, part: &[usize]) -> Result<(Vec<Found>, Plan), Trouble> {
        let mut patience = self.session.patience();
        loop {
            match self.compare(part) {
                Err(trouble) => self.session.endure(&mut patience, trouble)?,
                done => return done,
            }
        }
    }

    /// Brings a part there, with patience; then, when one document may be to blame, piece by piece.
    fn deliver(&mut self, part: Vec<usize>) -> Result<(), Trouble> {
        let mut patience = self.session.patience();
        let mut rounds = self.rounds(&part);
        let mut open = part;
        let mut is_idle = false;
        while !open.is_empty() {
            rounds.next().ok_or_else(|| self.unbelievable())?;
            let before = open.len();
            let outcome = self.round(&open);
            open = self.still_open(open);
            match outcome {
                // Once is a part that may have arrived: the next round looks.
                Ok(Changed::Nothing) if open.len() == before && is_idle => {
                    return Err(self.unbelievable());
                }
                Ok(changed) => is_idle = changed == Changed::Nothing && open.len() == before,
                Err(trouble) if trouble.kind == Kind::TooLarge => {
                    self.batch = (self.batch / 2).max(1);
                    return self.isolate(open, trouble);
                }
                Err(trouble) if trouble.kind == Kind::BadRequest => {
                    return self.isolate(open, trouble);
                }
                Err(trouble) => match self.session.endure(&mut patience, trouble) {
                    Err(last) if last.kind == Kind::ServerError => {
                        return self.isolate(open, last);
                    }
                    endured => endured?,
                },
            }
        }
        Ok(())
    }

    /// Sends a part by halves until it is known which documents the site does not take. A document is to
    /// blame only where the site takes another one after it: else the site is.
    fn isolate(&mut self, part: Vec<usize>, first: Trouble) -> Result<(), Trouble> {
        let mut patience = self.session.patience();
        let mut rounds = self.rounds(&part);
        let mut parts = halves(part);
        let mut suspects = Vec::new();
        let mut failures = 0;
        while let Some(part) = parts.pop() {
            rounds.next().ok_or_else(|| self.unbelievable())?;
            let outcome = self.round(&part);
            let open = self.still_open(part);
            match outcome {
                Ok(changed) => {
                    if changed == Changed::Something {
                        failures = 0;
                    }
                    if !open.is_empty() {
                        parts.push(open);
                    }
                }
                Err(trouble) if trouble.may_be_a_document() => {
                    failures += 1;
                    match open.as_slice() {
                        [one] => suspects.push((*one, trouble)),
                        _ => parts.extend(halves(open)),
                    }
                }
                Err(trouble) => {
                    self.session.endure(&mut patience, trouble)?;
                    parts.push(open);
                }
            }
            let is_at_its_end = parts.is_empty() && !suspects.is_empty();
            if failures >= PROBES || (is_at_its_end && failures > 0) {
                if !self.probe()? {
                    return Err(first);
                }
                failures = 0;
            }
        }
        for (index, trouble) in suspects {
            self.fates[index] = Fate::Refused(format!("on its own: {}", trouble.text));
        }
        Ok(())
    }

    /// Whether the site still takes a document that this upload brought there, as it is.
    fn probe(&mut self) -> Result<bool, Trouble> {
        let known = self.fates.iter().position(|fate| *fate == Fate::Delivered);
        let Some(index) = known else {
            return Ok(false);
        };
        match self.send_again(index) {
            Err(trouble) if trouble.kind == Kind::Cancelled => Err(trouble),
            outcome => Ok(outcome.unwrap_or(false)),
        }
    }

    /// Sends a document that is there, as it is there.
    fn send_again(&mut self, index: usize) -> Result<bool, Trouble> {
        let collection = self.form.collection;
        let (found, _) = self.compare(&[index])?;
        let id = self.sticks[index].reading_id.as_str();
        let is_it = |one: &&Found| one.identifier.as_deref() == Some(id);
        let Some(date_ms) = found.iter().find(is_it).and_then(Found::date_ms) else {
            return Ok(false);
        };
        let document = self.document(&[index], &Placed { stick: 0, date_ms });
        match self.session.version {
            Version::V1 => {
                let echo = self.session.post(collection, &[document])?;
                Ok(is_echo(collection, &[date_ms], &echo))
            }
            Version::V3 => self.session.post_v3(collection, &document).map(|()| true),
        }
    }

    /// Rounds for a part: two for each document that has to be found by halving, a few for what moves, and
    /// for each try. More are a site that keeps less than it says.
    fn rounds(&self, part: &[usize]) -> std::ops::Range<usize> {
        0..2 * part.len() + 2 * self.session.settings.retries + 8
    }

    /// One round: look, settle what is there, move what moved, send the rest.
    fn round(&mut self, part: &[usize]) -> Result<Changed, Trouble> {
        let (found, plan) = self.compare(part)?;
        let refused = self.settle_hopeless(part, &found, &plan)?;
        self.settle_there(part, &plan);
        let mut changed = Changed::Nothing;
        for stale in &plan.stale {
            let index = part[stale.stick];
            // With API 3 the old document bars the new one; with API 1 the new one goes first, so that
            // nothing is lost if this ends here.
            let is_time = stale.replaced || self.session.version == Version::V3;
            if let (true, false, Some(id)) =
                (is_time, refused.contains(&index), &found[stale.found].id)
            {
                self.session.delete(self.form.collection, id)?;
                changed = Changed::Something;
            }
        }
        let send: Vec<Placed> = plan
            .send
            .iter()
            .filter(|placed| !refused.contains(&part[placed.stick]))
            .copied()
            .collect();
        if send.is_empty() {
            return Ok(changed);
        }
        match self.session.version {
            Version::V1 => self.send(part, &plan, &send),
            Version::V3 => self.send_v3(part, &send),
        }
    }

    /// Compares a part with what is at the site.
    fn compare(&mut self, part: &[usize]) -> Result<(Vec<Found>, Plan), Trouble> {
        let sticks: Vec<&Stick> = part.iter().map(|&index| &self.sticks[index]).collect();
        let seconds = || sticks.iter().map(|stick| stick.second_ms);
        let from = seconds().min().unwrap_or_default() - self.margin_ms;
        let to = seconds().max().unwrap_or_default() + self.margin_ms;
        let found = self.session.look(self.form.collection, from, to)?;
        let plan = plan(&sticks, &found, |stick| self.form.value(stick));
        Ok((found, plan))
    }

    /// Settles what cannot be brought there; gives the sticks concerned.
    fn settle_hopeless(
        &mut self,
        part: &[usize],
        found: &[Found],
        plan: &Plan,
    ) -> Result<HashSet<usize>, Trouble> {
        let mut refused = HashSet::new();
        let mut refuse = |fates: &mut Vec<Fate>, stick: usize, reason: String| {
            refused.insert(part[stick]);
            fates[part[stick]] = Fate::Refused(reason);
        };
        for &stick in &plan.deleted {
            let reason = "was deleted at the site, and is not brought back";
            refuse(&mut self.fates, stick, reason.to_owned());
        }
        for &stick in &plan.crowded {
            let reason = "no free place in its second at the site";
            refuse(&mut self.fates, stick, reason.to_owned());
        }
        if plan.stale.is_empty() {
            return Ok(refused);
        }
        let may_delete = self.session.may_delete(self.form.collection)?;
        for stale in &plan.stale {
            let known = found[stale.found].id.is_some();
            if !may_delete || !known {
                let right = right(self.form.collection, "delete");
                let reason = match known {
                    true => {
                        format!("is at the site under another time, and the token lacks `{right}`")
                    }
                    false => "is at the site under another time, and cannot be deleted".to_owned(),
                };
                refuse(&mut self.fates, stale.stick, reason);
            }
        }
        Ok(refused)
    }

    /// Settles what is there, unless an old document of it still has to go.
    fn settle_there(&mut self, part: &[usize], plan: &Plan) {
        for &stick in &plan.there {
            let index = part[stick];
            if self.fates[index] == Fate::Open && !plan.stale.iter().any(|one| one.stick == stick) {
                self.fates[index] = match self.sent.contains(&index) {
                    true => Fate::Delivered,
                    false => Fate::There,
                };
            }
        }
    }

    fn document(&self, part: &[usize], placed: &Placed) -> Map<String, Value> {
        let stick = &self.sticks[part[placed.stick]];
        match self.session.version {
            Version::V1 => self.form.document(stick, placed.date_ms),
            Version::V3 => self.form.document_v3(stick, placed.date_ms),
        }
    }

    /// Sends a batch by API 1.
    fn send(&mut self, part: &[usize], plan: &Plan, send: &[Placed]) -> Result<Changed, Trouble> {
        let collection = self.form.collection;
        let documents: Vec<_> = send
            .iter()
            .map(|placed| self.document(part, placed))
            .collect();
        let dates: Vec<i64> = send.iter().map(|placed| placed.date_ms).collect();
        self.sent
            .extend(send.iter().map(|placed| part[placed.stick]));
        match self.session.post(collection, &documents) {
            Ok(echo) if is_echo(collection, &dates, &echo) => {
                for placed in send {
                    // What moved is settled when its old document is gone.
                    if !plan.stale.iter().any(|one| one.stick == placed.stick) {
                        self.fates[part[placed.stick]] = Fate::Delivered;
                    }
                }
                Ok(Changed::Something)
            }
            // Perhaps a part arrived; the next round looks.
            Ok(_) => {
                let line = format!(
                    "{} did not confirm everything that was sent",
                    self.session.site()
                );
                self.session.op.log(Level::Warn, LOG, &line);
                Ok(Changed::Nothing)
            }
            Err(trouble) => match trouble.kind {
                Kind::Poison(index) if index < send.len() => {
                    self.fates[part[send[index].stick]] = Fate::Refused(trouble.text);
                    Ok(Changed::Something)
                }
                Kind::Poison(_) => Err(Trouble {
                    kind: Kind::ServerError,
                    ..trouble
                }),
                _ => Err(trouble),
            },
        }
    }

    /// Sends document by document by API 3.
    fn send_v3(&mut self, part: &[usize], send: &[Placed]) -> Result<Changed, Trouble> {
        for placed in send {
            let index = part[placed.stick];
            let document = self.document(part, placed);
            self.sent.insert(index);
            match self.session.post_v3(self.form.collection, &document) {
                Ok(()) => self.fates[index] = Fate::Delivered,
                Err(trouble)
                    if matches!(
                        trouble.kind,
                        Kind::BadRequest | Kind::ReadOnly | Kind::Poison(_)
                    ) =>
                {
                    self.fates[index] = Fate::Refused(trouble.text);
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(Changed::Something)
    }

    fn unbelievable(&self) -> Trouble {
        let text = format!(
            "{} says that all is well and keeps less than was sent",
            self.session.site()
        );
        Trouble::new(Kind::Protocol, text).http(200)
    }
}

/// What an upload would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outlook {
    pub(crate) documents: usize,
    pub(crate) requests: usize,
    pub(crate) deletions: usize,
}

/// Whether a round changed anything at the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changed {
    Nothing,
    Something,
}

/// The halves of a part, the first one last; of a single one, itself.
fn halves(mut part: Vec<usize>) -> Vec<Vec<usize>> {
    if part.len() < 2 {
        return vec![part];
    }
    let second = part.split_off(part.len() / 2);
    vec![second, part]
}
