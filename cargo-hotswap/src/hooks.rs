//! Functions of the program's that run at swaps: found in objects, and told to the program in the order in
//! which they run.

use std::sync::Arc;

use anyhow::{Context, Result};
use hotswap_object::HostFacts;
use hotswap_protocol::hook::{Hook, When};

use crate::cells;
use crate::entries;
use crate::facts::Analysed;
use crate::image::Linked;
use crate::unit::Unit;

/// One such function of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookFacts {
    /// When it runs.
    pub when: When,
    /// Its path, told from that of a namesake's.
    pub path: String,
    /// The symbol of the function that the attribute has made, which calls it.
    pub function: String,
}

/// Finds those of all units, in the order in which they run: dependencies first, and in a crate by path.
///
/// # Errors
///
/// A description is of another version of the runtime.
pub fn of_units(units: &[Unit], analysed: &[Vec<Arc<Analysed>>]) -> Result<Vec<HookFacts>> {
    let mut all = Vec::new();
    for (unit, objects) in units.iter().zip(analysed) {
        let namesake = entries::is_namesake(unit, units);
        let found = objects.iter().flat_map(|object| &object.facts.hooks);
        let found = found.map(|hook| read(&hook.text, hook.function.as_deref(), namesake));
        let mut found = found.collect::<Option<Vec<_>>>().with_context(|| {
            let name = &unit.name;
            format!("what `{name}` says of functions that run at swaps is not of this version")
        })?;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        all.extend(found);
    }
    Ok(all)
}

/// Reads `on-load app::check`.
fn read(text: &str, function: Option<&str>, namesake: bool) -> Option<HookFacts> {
    let (word, path) = text.split_once(' ')?;
    let when = When::ALL
        .into_iter()
        .find(|when| when.attribute().replace('_', "-") == word)?;
    Some(HookFacts {
        when,
        path: entries::qualified(path, namesake),
        function: function?.to_owned(),
    })
}

/// The same as the program is told of them. What an image does not hold is in the host as it would be in
/// the image.
///
/// # Errors
///
/// The image is damaged, or one of them is nowhere.
pub fn located(hooks: &[HookFacts], image: Option<&Linked>, host: &HostFacts) -> Result<Vec<Hook>> {
    let symbols = hooks.iter().map(|hook| hook.function.as_str());
    let in_image = match image {
        Some(image) => cells::addresses(&image.bytes, symbols)?,
        None => Default::default(),
    };
    let hooks = hooks.iter().map(|hook| {
        let of_image = in_image.get(hook.function.as_str()).copied();
        let of_host = || host.symbols.get(&hook.function).map(|it| it.address);
        let address = of_image.or_else(of_host).with_context(|| {
            let HookFacts { when, path, .. } = hook;
            format!("the function `{path}`, which is marked `{when}`, is not in the image")
        })?;
        Ok(Hook {
            when: hook.when,
            path: hook.path.clone(),
            in_image: of_image.is_some(),
            address,
        })
    });
    hooks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_read() {
        let read = |text| read(text, Some("f"), false).map(|hook| (hook.when, hook.path));
        for (text, expected) in [
            (
                "on-load app::check",
                Some((When::OnLoad, "app::check".into())),
            ),
            (
                "on-purge app::m::end",
                Some((When::OnPurge, "app::m::end".into())),
            ),
            ("on-load", None),
            ("on-fire app::check", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_an_image_lacks_is_the_hosts() {
        let fact = HookFacts {
            when: When::AfterSwap,
            path: "app::a".into(),
            function: "f".into(),
        };
        let error = located(&[fact], None, &HostFacts::default()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("`app::a`, which is marked `after_swap`")
        );
    }
}
