//! Why an object can't be read or rewritten.

use std::fmt;

/// An object file that can't be understood.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The file holds LLVM bitcode: link-time optimisation is on.
    #[error("the object is LLVM bitcode: link-time optimisation must be off for hot crates")]
    Bitcode,
    /// The file isn't a relocatable (or, for a host, executable) ELF file of a known machine.
    #[error("not an x86_64 ELF file of the expected kind: {0}")]
    Unsupported(String),
    /// The file's structure contradicts itself.
    #[error("malformed object file: {0}")]
    Malformed(String),
}

impl ObjectError {
    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed(what.into())
    }
}

impl From<object::read::Error> for ObjectError {
    fn from(error: object::read::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// A place in an object that refers to state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Name of the section.
    pub section: String,
    /// Offset of the relocation in the section.
    pub offset: u64,
    /// Name of the symbol referred to.
    pub symbol: String,
    /// The instruction in AT&T syntax, or the relocation's type where there is none.
    pub instruction: String,
}

impl fmt::Display for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "`{}` at {}+{:#x}, which refers to `{}`",
            self.instruction, self.section, self.offset, self.symbol
        )
    }
}

/// An object that can't be rewritten without the risk of changing its meaning.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RewriteError {
    /// The object itself can't be understood.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A static without a binding: its state would be lost in silence.
    #[error("the static `{symbol}` is bound neither to the host nor to the image")]
    Unbound {
        /// The static's symbol.
        symbol: String,
    },
    /// A binding that contradicts the symbol's kind.
    #[error("`{symbol}` can't be bound as asked: {reason}")]
    Binding {
        /// The symbol.
        symbol: String,
        /// What is wrong with the binding.
        reason: &'static str,
    },
    /// An instruction or datum that can't be made to reach the host's state.
    #[error("can't redirect {site}: {reason}")]
    Site {
        /// Where it is.
        site: Box<Site>,
        /// Why it can't be rewritten.
        reason: &'static str,
    },
    /// The unwind information can't be replayed for a thunk.
    #[error("can't replay the unwind information of {section}+{offset:#x}: {reason}")]
    Unwind {
        /// Name of the text section.
        section: String,
        /// Offset of the instruction in it.
        offset: u64,
        /// What stands in the way.
        reason: &'static str,
    },
}
