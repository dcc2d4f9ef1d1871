//! Which machine a library is for: the linker would only say that it cannot load it.

use object::read::{Object, ReadRef};
use object::{Architecture, BinaryFormat};

/// What helps against a library of another machine.
pub(super) const HINT: &str =
    "build it on this machine, or get the file that its author built for it";

/// The machine and the system that a library is for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Machine {
    architecture: Architecture,
    format: BinaryFormat,
}

impl Machine {
    /// The one that this program was built for; none when the architecture has no name here.
    fn here() -> Option<Self> {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => Architecture::X86_64,
            "x86" => Architecture::I386,
            "aarch64" => Architecture::Aarch64,
            "arm" => Architecture::Arm,
            "riscv64" => Architecture::Riscv64,
            _ => return None,
        };
        let format = match BinaryFormat::native_object() {
            BinaryFormat::Coff => BinaryFormat::Pe,
            format => format,
        };
        Some(Self {
            architecture,
            format,
        })
    }

    fn words(&self) -> String {
        let architecture = match self.architecture {
            Architecture::X86_64 => "x86-64".to_owned(),
            Architecture::I386 => "32-bit x86".to_owned(),
            Architecture::Aarch64 => "AArch64".to_owned(),
            Architecture::Arm => "32-bit Arm".to_owned(),
            Architecture::Riscv64 => "64-bit RISC-V".to_owned(),
            Architecture::Unknown => "an unknown processor".to_owned(),
            other => format!("{other:?}"),
        };
        let system = match self.format {
            BinaryFormat::Pe | BinaryFormat::Coff => " with Windows",
            BinaryFormat::MachO => " with macOS",
            // Which of the others it is, the file does not say.
            _ => "",
        };
        format!("{architecture}{system}")
    }
}

/// Why a library cannot run here, when it is for another machine.
pub(crate) fn foreign<'data, R: ReadRef<'data>>(file: &object::File<'data, R>) -> Option<String> {
    let here = Machine::here()?;
    let its = Machine {
        architecture: file.architecture(),
        format: file.format(),
    };
    (its != here).then(|| {
        format!(
            "it is for another machine: {}, and this is {}",
            its.words(),
            here.words()
        )
    })
}
