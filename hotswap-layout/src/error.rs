//! What can go wrong when debug information is read or looked up.

/// An error in reading or finding type facts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// The bytes are not an object file of a known format.
    #[error("cannot read the object file: {0}")]
    Object(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The object is LLVM bitcode, as `-C lto` makes it.
    #[error("the object holds LLVM bitcode, not machine code; build hot crates with `-C lto=off`")]
    Bitcode,
    /// A relocation of a debug section is of an unknown form.
    #[error("cannot apply the relocation at {offset:#x} of section `{section}`")]
    Relocation {
        /// The section it belongs to.
        section: String,
        /// The offset in that section.
        offset: u64,
    },
    /// The debug information is malformed.
    #[error("cannot read the debug information: {0}")]
    Dwarf(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The debug information is larger than this reader's 32-bit numbering.
    #[error("the debug information is too large: {0} bytes")]
    TooLarge(usize),
    /// Nothing is known about a symbol.
    #[error(
        "no debug information about `{symbol}`; hot crates are built with `-C debuginfo=2` or more"
    )]
    Unknown {
        /// The mangled symbol.
        symbol: String,
    },
    /// What a type says of itself for migrations is not understood.
    #[error(
        "`{symbol}` is not of this version of hotswap: {reason}; build the program and install `cargo-hotswap` from the same version"
    )]
    Description {
        /// The demangled path of the static that holds it.
        symbol: String,
        /// What is wrong.
        reason: String,
    },
}
