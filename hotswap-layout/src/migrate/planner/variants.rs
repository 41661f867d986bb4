//! Variants: which of the new type each old one becomes.

use super::{NoWay, Outcome, Pair, Planner};
use crate::descriptions::{Description, Part};
use crate::migrate::matching::{self, Origin};
use crate::migrate::shape::Variant;
use crate::migrate::{Fields, How, VariantChange};

impl Planner<'_> {
    pub(super) fn variants(
        &mut self,
        pair: Pair,
        (before, after): (&[Variant], &[Variant]),
        (old, new): (&Description, &Description),
    ) -> Outcome<How> {
        let parts = |variants: &[Variant], description: &Description| -> Vec<Part> {
            let names = variants.iter().map(|variant| variant.name.as_str());
            names.map(|name| description.variant(name)).collect()
        };
        let origins = match matching::origins(&parts(before, old), &parts(after, new)) {
            Ok(origins) => origins,
            Err(conflict) => {
                self.refusals.conflict(
                    (pair.old, pair.new),
                    "variants: ",
                    &conflict,
                    &self.reached,
                );
                return Err(NoWay::Told);
            }
        };
        let mut changes = Vec::new();
        let mut refused = false;
        for (at, variant) in before.iter().enumerate() {
            let becomes = origins
                .iter()
                .position(|origin| origin.position() == Some(at));
            let Some(next) = becomes.map(|at| &after[at]) else {
                self.note(pair, format!("variant `{}`: removed", variant.name));
                changes.push(VariantChange {
                    old: variant.name.clone(),
                    new: None,
                    fields: Fields::default(),
                });
                continue;
            };
            if next.name != variant.name {
                self.note(
                    pair,
                    format!("variant `{}`: was `{}`", next.name, variant.name),
                );
            }
            let names = (Some(variant.name.as_str()), Some(next.name.as_str()));
            let lists = (variant.fields.as_slice(), next.fields.as_slice());
            match self.fields(pair, names, lists, (old, new)) {
                Ok(fields) => changes.push(VariantChange {
                    old: variant.name.clone(),
                    new: Some(next.name.clone()),
                    fields,
                }),
                Err(_) => refused = true,
            }
        }
        for (variant, _) in after
            .iter()
            .zip(&origins)
            .filter(|(_, it)| **it == Origin::New)
        {
            self.note(pair, format!("variant `{}`: added", variant.name));
        }
        match refused {
            true => Err(NoWay::Told),
            false => Ok(How::Variants(changes)),
        }
    }
}
