//! The registry of problem codes: number, summary and the page behind `glucopipe explain CODE`.

use std::fmt;

/// A stable problem code, shown as `GP0102`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

impl Code {
    /// The number: 102 for `GP0102`.
    pub fn number(self) -> u16 {
        self.0
    }

    /// The area: 1 configuration, 2 device, 3 protocol, 4 plugin, 5 sink, 6 data, 7 journal.
    pub fn area(self) -> u16 {
        self.0 / 100
    }

    /// The entry of the registry.
    pub fn entry(self) -> &'static Entry {
        ENTRIES
            .iter()
            .find(|entry| entry.code == self)
            .unwrap_or(&ENTRIES[0])
    }

    /// Finds a code by its text, `GP0102` in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text
            .strip_prefix("GP")
            .or_else(|| text.strip_prefix("gp"))?;
        let number = (digits.len() == 4).then(|| digits.parse::<u16>().ok())??;
        ENTRIES
            .iter()
            .map(|entry| entry.code)
            .find(|code| code.0 == number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GP{:04}", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What the registry says of one code.
#[derive(Debug)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// One line.
    pub summary: &'static str,
    /// The page: what it means, what to do.
    pub page: &'static str,
}

/// All codes, in order.
pub fn all() -> &'static [Entry] {
    ENTRIES
}

macro_rules! codes {
    ($($name:ident = $number:literal, $summary:literal, $page:literal;)*) => {
        impl Code {
            $(#[doc = concat!("`GP` code ", $number, ": ", $summary, ".")]
            pub const $name: Code = Code($number);)*
        }
        static ENTRIES: &[Entry] = &[
            $(Entry { code: Code::$name, summary: $summary, page: $page },)*
        ];
    };
}

codes! {
    CONFIG_SYNTAX = 101, "the file is not TOML",
        "The text at the marked place breaks the rules of TOML 1.0. Nothing of the file is used until it parses.";
    CONFIG_UNKNOWN_KEY = 102, "a key that nobody reads",
        "glucopipe refuses keys it does not know, so that a typing mistake cannot silently switch a setting off. The keys of a sink or source besides the common ones belong to its plugin: `glucopipe plugins --json` lists them.";
    CONFIG_VALUE = 103, "a value of the wrong type or outside its range",
        "The message says what was expected. Values from the environment and from `--set` are read as TOML values, or else as text.";
    CONFIG_MISSING_KEY = 104, "a required key is missing",
        "Add the key to the marked table.";
    CONFIG_UNKNOWN_INPUT = 105, "an input that is no source or transform",
        "`inputs` names sources and transforms of the same file. A sink cannot be an input.";
    CONFIG_CYCLE = 106, "transforms feed each other in a circle",
        "Readings flow from sources to sinks. The message shows the circle; cut it at one place.";
    CONFIG_UNKNOWN_PLUGIN = 107, "no driver, exporter or transform of this name",
        "The name is not built in and no plugin folder holds a library that offers it. `glucopipe plugins` lists what was found and which folders were searched. Commands that take no pipeline, such as `plugins`, `doctor` and `devices`, do not look at the folders in [plugins] of one: name those with `--plugin-dir`.";
    CONFIG_ZONE = 108, "not an IANA time zone",
        "Fixed offsets and abbreviations do not know daylight saving, so times would be wrong for half of the year. Use a name such as `Europe/Athens`.";
    CONFIG_SECRET = 109, "a secret cannot be resolved",
        "A secret is a reference: `{ env = \"NAME\" }`, `{ file = \"/absolute/path\" }` or `{ credential = \"name\" }` (systemd). The thing it points at must exist, and a file must not be readable by others.";
    CONFIG_SECRET_LITERAL = 110, "a secret is written into the file",
        "Configuration files get copied, mailed and committed. Put the secret into the environment or into a file and refer to it.";
    CONFIG_FILE = 111, "the pipeline file cannot be read",
        "The default is `pipeline.toml` in the working directory.";
    CONFIG_OVERRIDE = 112, "an override that cannot be applied",
        "`--set` takes `path.to.key=value`; the environment takes `GLUCOPIPE__PATH__TO__KEY`.";
    CONFIG_NAME = 113, "a name is used twice or is not a name",
        "Sources, transforms and sinks share one space of names: lower-case letters, digits, `-` and single `_`. A person has a name of 1 to 64 characters, without line breaks and without a blank at either end.";
    CONFIG_GRAPH = 114, "the pipeline does nothing",
        "A pipeline needs a source and a sink, and every sink and transform needs an input.";
    CONFIG_SHAPE = 115, "a part of the pipeline is not used",
        "A source or transform that no sink is fed from costs time and delivers nothing. An input that is listed twice is delivered once.";
    CONFIG_PERSON = 116, "people who cannot be told apart",
        "A meter belongs to one person: its serial stands under one `[persons.NAME]` only, and blanks and capitals are no difference. Names that differ in capitals only are most likely one person. A `person` transform needs the serials of the meters, so it stands before `pseudonymise`.";
    SCHEDULE = 117, "what a scheduler cannot give a run",
        "A scheduler starts glucopipe without your shell: without its environment, its terminal, and in a file format that cannot hold every path. See docs/scheduling.md.";

    NO_METER = 201, "no supported meter is attached",
        "Plug the meter in and wait until it shows that it is connected. `glucopipe devices` lists what is seen. Without a meter: `device = \"virtual:contour-next-usb\"`.";
    DEVICE_ACCESS = 202, "not allowed to open the meter",
        "The system protects device nodes. Install the rule that `glucopipe doctor --udev` prints, then unplug the meter and plug it in again.";
    DEVICE_SELECTOR = 203, "a device selector that means nothing",
        "Selectors are `serial:…`, `usb:VVVV:PPPP`, `path:…`, `virtual:MODEL?key=value` and `replay:FILE`.";
    DEVICE_CHOICE = 204, "more than one meter fits",
        "Say which one is meant, with `device = \"serial:…\"` or `--device`.";
    DEVICE_LOST = 205, "the meter went away",
        "The cable or the meter was disconnected while it was being read. Plug it in again and run again: nothing is doubled.";
    DEVICE_IO = 206, "the connection to the meter failed",
        "The operating system reported an error on the meter's node. Another program may hold the meter.";
    TRANSCRIPT = 207, "a transcript that cannot be used",
        "A transcript is the text that `--record` and `glucopipe transcript` write; no file is overwritten by one. It holds one session, so a run of several sources is not recorded. The message says what is wrong, and in which line.";
    DEVICE_UNSUPPORTED = 208, "the meter or its driver cannot do this",
        "Not every meter has every function; `glucopipe plugins --json` and docs/meters.md say which.";
    CHANGE_REFUSED = 209, "the meter is not changed",
        "Setting the clock and erasing are refused unless it is certain which meter is changed and that every stored record was read to its end and kept before. The message says what was not certain.";
    DEVICE_BUSY = 210, "another program talks to the meter",
        "Two programs at once would take each other's answers for their own, so one at a time talks to a meter. glucopipe waits a few seconds for the other. Close the other program, or let it come to its end, and run again.";
    SCRUB = 211, "a transcript that cannot be made fit to share",
        "`glucopipe transcript scrub` lets the driver replace serials, dates and values, replays the result, and compares. A driver need not be able to, and a transcript that it reads nothing from cannot be compared. Nothing is written unless all of it holds: do not share the original instead, it holds readings and a serial.";
    CAPTURE = 212, "a capture that cannot be imported",
        "`glucopipe transcript import` takes USB traffic as Wireshark saves it: pcapng or pcap, from usbmon on Linux or USBPcap on Windows, of a meter that is a HID device or a disk. Begin the capture before the meter is plugged in, so that it says what the meter is, and capture whole packets.";

    PROTOCOL = 301, "the meter answered outside its protocol",
        "Nothing usable was read. Unplug the meter, plug it in again and run again. `--record FILE` keeps a transcript for a report; it holds readings until `glucopipe transcript scrub` has made it fit to share.";
    INCOMPLETE = 302, "the download is incomplete",
        "What was read and verified is delivered; the rest is still in the meter. When nothing was read, what was delivered before stays as it is. Run again.";
    SET_ASIDE = 303, "records were set aside",
        "A record that cannot be decoded is kept in the run report with its bytes and the reason; it never ends the download of the others.";
    TIMEOUT = 304, "the meter did not answer in time",
        "Wake the meter up or plug it in again. The limit is `timeout_secs` of the source. A recording answers what was said to the meter when it was made: the message names the line where the driver says something else.";

    PLUGIN_LOAD = 401, "a plugin cannot be loaded",
        "The message names the file and the reason.";
    PLUGIN_UNSAFE = 402, "a plugin that others could change",
        "A library runs with your rights. It is loaded only from a file and folder that nobody else can write: `chmod go-w`, or move it.";
    PLUGIN_ABI = 403, "a plugin for another ABI",
        "The library exports no `gp_plugin_v1`, or needs a newer host. Rebuild it, or update glucopipe.";
    PLUGIN_BROKEN = 404, "a plugin broke the contract",
        "The plugin returned data that the ABI forbids. Nothing of it was used. This is a bug in the plugin.";
    PLUGIN_PANIC = 405, "a plugin crashed inside",
        "The crash was contained. A plugin in a process of its own may end that in any way, and the message says how; of one in the process of glucopipe, the object it happened in is not used again. This is a bug in the plugin.";
    PLUGIN_STUCK = 406, "a plugin did not stop when told to",
        "A plugin must stop within 250 ms of being cancelled. It was abandoned, or its process killed; the meter may need to be plugged in again. Where its time was over, the message names the key that says how long it may take: a larger `timeout_secs` helps one that is slow, and not one that hangs.";
    PLUGIN_SHADOWED = 407, "a plugin is hidden by another of the same id",
        "The first library in search order is used.";
    PLUGIN_MANIFEST = 408, "a plugin is not what its manifest says",
        "`NAME.glucopipe.toml` beside a library says what it is: id, version, ABI and the SHA-256 of its bytes. The library was built anew, damaged or replaced, or the manifest belongs to another one. Take both from one release. Who built the library writes its manifest with `glucopipe plugins manifest`.";
    PLUGIN_PIN = 409, "a plugin that is not pinned, or was changed since",
        "`glucopipe plugins trust FILE` pins a library of others to its bytes; without FILE it lists the pins. A pinned library that was changed is refused. With `--locked`, or `locked = true` in [plugins], so is one that was never pinned. Plugins that came with glucopipe need no pin.";
    PLUGIN_NEW = 410, "a plugin cannot be begun",
        "`glucopipe plugins new` makes a folder and never writes over anything: name another with `--path`. A plugin in Rust needs the crate glucopipe-sdk, which `--sdk` names.";

    SINK_CONFIG = 501, "an exporter refused its configuration",
        "The message comes from the exporter.";
    SINK_WRITE = 502, "an exporter could not deliver",
        "Files appear whole or not at all, so what was there before is intact. What was not delivered waits in the journal: run again when the cause is gone, with or without the meter.";
    SINK_PENDING = 503, "a destination took only a part",
        "The readings that it took are delivered; the rest waits in the journal, and the next run sends it, with or without the meter. As a warning: nothing failed, and the sink holds back what it cannot deliver yet.";
    SINK_REFUSED = 504, "a destination refused readings for good",
        "They are not offered to it again. `rejected.jsonl` beside the journal has them with the reasons; `glucopipe replay --all` offers them once more.";

    CLOCK_OFFSET = 601, "the meter's clock is off",
        "Times are never changed silently. `correct_drift = true` of the `clock` transform subtracts the measured offset; setting the meter is a separate command.";
    DATA_INVALID = 602, "a reading outside the schema",
        "The driver delivered a row that `reading/1` forbids.";
    DATA_FILTER = 603, "a filter that cannot be understood",
        "See `filter` in docs/transforms.md.";
    HELD_BACK = 604, "readings of a meter that is nobody's",
        "The serial of the meter stands under no `[persons.NAME]`, so the `person` transform holds its readings back: nobody is given them, least of all a default. They are in the journal. `glucopipe persons` lists such meters; add the serial to its person and run again, with or without the meter, and they are delivered.";

    JOURNAL_OPEN = 701, "the journal cannot be opened",
        "Every read is committed to the journal before any sink sees it, so nothing is read without one. The file is `path` in [journal], else `$XDG_STATE_HOME/glucopipe/journal.db`, else `~/.local/state/glucopipe/journal.db`; you must be able to write it and its folder.";
    JOURNAL_NEWER = 702, "the journal is of a newer glucopipe",
        "A newer version has written the journal in a way that this one does not know. It is not changed. Use the newer version, or another file for this one.";
    JOURNAL_BUSY = 703, "another glucopipe is using the journal",
        "One run at a time delivers, so that nothing is delivered twice. A run waits for the other; when that takes too long it ends, and what was read is in the journal for the next run.";
    JOURNAL_WRITE = 704, "the journal cannot be written or read",
        "What a step cannot write is not delivered, and is still in the meter. The message says why: a full disk, a disk that was taken out.";
    JOURNAL_DAMAGED = 705, "the journal is damaged",
        "Keep a copy of the file. `glucopipe journal verify` says what is wrong; the program `sqlite3` with `.recover` saves what can be read. Meters that still hold their readings can be read again into a new journal.";
    JOURNAL_CONFLICT = 706, "a record has changed under a known key",
        "A meter gave a record that it had given before, with another value, time or marker: it was edited in the meter, or the meter was replaced or reset. The journal keeps both; sinks get what was read first. `glucopipe journal export` shows them as `conflicts`.";
    JOURNAL_UNKNOWN = 707, "the journal has no such reading",
        "Nothing was journalled under this id, or nothing yet for this pipeline. Run the pipeline once with the meter.";

    INTERNAL = 901, "a bug in glucopipe",
        "Please report it, with the command and the message.";
    INTERRUPTED = 902, "interrupted",
        "Ctrl-C or a termination signal arrived. No half file was written, and the meter was left in order, unless its driver had to be abandoned (GP0406).";
}
