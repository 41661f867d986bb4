//! The build plugin: this executable as rustc's wrapper and as its linker.
//!
//! `cargo hotswap` runs cargo with `RUSTC_WORKSPACE_WRAPPER` naming this executable, and with
//! [`PLUGIN_VAR`] holding a [`PluginConfig`]. The contract:
//!
//! - As a *wrapper* it is called `cargo-hotswap RUSTC ARGS…` for workspace crates. A hot crate's
//!   arguments are adjusted ([`wrapper`]), recorded beside the artefact ([`capture`]), and rustc
//!   is executed in the wrapper's place. Everything else passes through unchanged.
//! - As a *linker* it is called by rustc, with [`LINK_VAR`] in the environment, for the final
//!   executable. It links a host that can be patched, or only collects the objects ([`linker`]).
//!
//! Wrappers that the user configured are called by ours, in cargo's own order.

use std::ffi::OsString;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

pub mod archive;
pub mod capture;
pub mod linker;
pub mod proper;
pub mod rustc_args;
pub mod wrapper;

/// Environment variable by which the tool tells its own processes that they are the plugin.
pub const PLUGIN_VAR: &str = "HOTSWAP_PLUGIN";

/// Environment variable, set by the wrapper for rustc, by which the plugin knows that it is
/// called as the linker. Holds a [`linker::LinkRequest`].
pub const LINK_VAR: &str = "HOTSWAP_LINK";

/// What the tool tells its wrapper processes, as JSON in [`PLUGIN_VAR`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PluginConfig {
    /// The user's `RUSTC_WRAPPER`, which ours stands in for.
    pub rustc_wrapper: Option<String>,
    /// The user's `RUSTC_WORKSPACE_WRAPPER`.
    pub workspace_wrapper: Option<String>,
    /// Whether a base is built: each hot crate is optimised as one unit for speed, unless somebody asks for several, and
    /// the executable has no debug information that nobody asks for.
    pub for_base: bool,
}

impl PluginConfig {
    /// The configuration as the value of [`PLUGIN_VAR`].
    pub fn to_env(&self) -> String {
        serde_json::to_string(self).expect("a struct of strings is always valid JSON")
    }
}

/// Runs the plugin if this process was started as one; `None` if it was not.
///
/// # Errors
///
/// What the wrapper or the linker could not do. A wrapper that succeeds does not return.
pub fn run_if_called(args: &[OsString]) -> Option<Result<i32>> {
    if let Some(request) = std::env::var_os(LINK_VAR) {
        return Some(linker::run(&request, &args[1..]));
    }
    let config = std::env::var(PLUGIN_VAR).ok()?;
    Some(
        serde_json::from_str::<PluginConfig>(&config)
            .with_context(|| format!("{PLUGIN_VAR} is not what this version of cargo-hotswap sets"))
            .and_then(|config| wrapper::run(&config, &args[1..])),
    )
}
