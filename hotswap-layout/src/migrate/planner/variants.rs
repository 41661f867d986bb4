//! Variants: which of the new type each old one becomes.

use super::{NoWay, Outcome, Pair, Planner};
use crate::descriptions::{Description, Part};
use crate::migrate::matching::{self, Origin};
use crate::migrate::refusal::Lack;
use crate::migrate::shape::Variant;
use crate::migrate::{Fields, How, VariantChange, Way};

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
                    with: false,
                });
                continue;
            };
            if next.name != variant.name {
                self.note(
                    pair,
                    format!("variant `{}`: was `{}`", next.name, variant.name),
                );
            }
            let renamed = next.name != variant.name;
            let function = match self.way {
                Way::Forward => new.variant(&next.name).with,
                Way::Back => old.variant(&variant.name).with,
            };
            if function && (renamed || !self.same_fields(variant, next)) {
                match self.of_fields(pair, (variant, next)) {
                    Ok(change) => changes.push(change),
                    Err(_) => refused = true,
                }
                continue;
            }
            let names = (Some(variant.name.as_str()), Some(next.name.as_str()));
            let lists = (variant.fields.as_slice(), next.fields.as_slice());
            match self.fields(pair, names, lists, (old, new)) {
                Ok(fields) => changes.push(VariantChange {
                    old: variant.name.clone(),
                    new: Some(next.name.clone()),
                    fields,
                    with: false,
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

    /// Whether both variants have the same fields.
    fn same_fields(&mut self, before: &Variant, after: &Variant) -> bool {
        before.fields.len() == after.fields.len()
            && std::iter::zip(&before.fields, &after.fields)
                .all(|(old, new)| old.name == new.name && self.is_same_value(old.place, new.place))
    }

    /// A function makes a variant of the other's fields, which it reads as the types that they were. Whether it takes
    /// just those is seen in the program. It makes no older value of a newer one.
    fn of_fields(
        &mut self,
        pair: Pair,
        (before, after): (&Variant, &Variant),
    ) -> Outcome<VariantChange> {
        let (name, lack) = match self.way {
            Way::Back => (&before.name, Some(Lack::VariantWayBack)),
            Way::Forward => {
                let stay = before.fields.iter().all(|field| self.stays(field.place));
                (&after.name, (!stay).then_some(Lack::HookType))
            }
        };
        if let Some(lack) = lack {
            let part = format!("variant `{name}`");
            let types = (pair.old, pair.new);
            self.refusals.part(types, &part, lack, &self.reached);
            return Err(NoWay::Told);
        }
        self.note(pair, format!("variant `{name}`: made by its function"));
        Ok(VariantChange {
            old: before.name.clone(),
            new: Some(after.name.clone()),
            fields: Fields::default(),
            with: true,
        })
    }
}
