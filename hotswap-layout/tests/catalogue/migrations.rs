//! Changes of state and what is planned for them. In each case `CELL` holds a `World`.
//!
//! A line after `expect:` is a type and what becomes of its parts, or a refusal with what is named in it. The plan goes
//! from the left version to the right one, with the tag `back` from the right one to the left as a revert does.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hotswap_layout::migrate::{
    CellPair, Fields, How, Migration, Source, Taken, TypeChange, Version, Way, migrate,
};
use hotswap_layout::{Descriptions, Finding, Program, Text, Verdict, read_object, report};
use object::SectionKind;
use quote::ToTokens as _;
use rustc_demangle::demangle;

use super::batches::{Batch, Form, run};
use super::cases::Case;
use super::symbols;

const PRELUDE: &str = r"
pub struct Live<T>(pub std::sync::atomic::AtomicPtr<u8>, pub fn() -> T);
fn make() -> World { loop {} }
pub static CELL: Live<World> = Live(std::sync::atomic::AtomicPtr::new(std::ptr::null_mut()), make);
pub fn cell() -> usize { &raw const CELL as usize }
pub struct Was;
impl Was { pub fn variant(&self) -> Option<&str> { loop {} } }
pub struct Given<T>(std::marker::PhantomData<fn() -> T>);
pub struct Perhaps<T>(std::marker::PhantomData<fn() -> T>);
pub struct CodeChange<T, F>(pub usize, pub std::marker::PhantomData<fn(F) -> T>);
";

/// What a version says of itself: the static that holds the text, if it matters which, and the text.
type Said = (Option<String>, String);

/// One version: its source without what only migrations read, and what its types say of themselves. `path` is the module.
fn described(source: &str, path: &str) -> (String, Vec<Said>) {
    let mut file = syn::parse_file(source).expect("a case is Rust");
    let mut texts = Vec::new();
    let mut statics = String::new();
    for item in &mut file.items {
        texts.extend(match item {
            syn::Item::Struct(item) => {
                derives(&mut item.attrs).then(|| (None, of_struct(item, path)))
            }
            syn::Item::Enum(item) => derives(&mut item.attrs).then(|| (None, of_enum(item, path))),
            syn::Item::Fn(item) => {
                changes_code(item).map(|word| of_function(word, item, path, &mut statics))
            }
            _ => None,
        });
    }
    (file.to_token_stream().to_string() + &statics, texts)
}

/// The word for a function that makes whole values; the attribute is taken away.
fn changes_code(item: &mut syn::ItemFn) -> Option<&'static str> {
    let at = item
        .attrs
        .iter()
        .position(|it| it.path().is_ident("code_change"))?;
    match item.attrs.remove(at).meta {
        syn::Meta::Path(_) => Some("code-change"),
        _ => Some("code-change-down"),
    }
}

/// The text of a function that makes whole values, and its static, as the attribute writes them.
fn of_function(word: &str, item: &mut syn::ItemFn, path: &str, statics: &mut String) -> Said {
    let name = item.sig.ident.to_string();
    let mut text = format!("{word} {path}::{name}\n");
    let mut types = String::new();
    for input in item.sig.inputs.iter_mut().skip(1) {
        let syn::FnArg::Typed(input) = input else {
            panic!("a field")
        };
        let field = input.attrs.pop().map(|attribute| {
            let name: syn::LitStr = attribute.parse_args().expect("a name");
            name.value()
        });
        let field = field.unwrap_or_else(|| input.pat.to_token_stream().to_string());
        let ty = input.ty.to_token_stream().to_string();
        let (word, kind, ty) = match ty.strip_prefix("Option < & ") {
            Some(ty) => ("perhaps", "Perhaps", ty.strip_suffix('>').expect("closed")),
            None => (
                "given",
                "Given",
                ty.strip_prefix("& ").expect("a reference"),
            ),
        };
        text += &format!("{word} {field}\n");
        types += &format!("{kind}<{ty}>,");
    }
    let syn::ReturnType::Type(_, makes) = &item.sig.output else {
        panic!("a type")
    };
    let makes = makes.to_token_stream();
    let symbol = format!("__HOTSWAP_SCHEMA_{name}");
    *statics += &format!(
        "#[used] pub static {symbol}: CodeChange<{makes}, ({types})> = CodeChange(0, std::marker::PhantomData);\n"
    );
    (Some(format!("{path}::{symbol}")), text)
}

fn of_struct(item: &mut syn::ItemStruct, path: &str) -> String {
    let mut text = format!("type {0} struct\npath {path}::{0}\n", item.ident);
    match elements(item) {
        Some(positions) => text += &format!("container {positions}\n"),
        None => fields("", &mut item.fields, &mut text),
    }
    text
}

/// The positions of the types that `#[migrate(container(…))]` names, which is taken away.
fn elements(item: &mut syn::ItemStruct) -> Option<String> {
    let at = item
        .attrs
        .iter()
        .position(|it| it.path().is_ident("migrate"))?;
    let mut positions = Vec::new();
    let parse = item.attrs.remove(at).parse_nested_meta(|meta| {
        meta.parse_nested_meta(|element| {
            let mut types = item.generics.type_params();
            let position = types.position(|it| element.path.is_ident(&it.ident));
            positions.push(position.expect("a type parameter").to_string());
            Ok(())
        })
    });
    parse.expect("`container(T)`");
    Some(positions.join(" "))
}

fn of_enum(item: &mut syn::ItemEnum, path: &str) -> String {
    let mut text = format!("type {0} enum\npath {path}::{0}\n", item.ident);
    for variant in &mut item.variants {
        text += &format!("variant {}\n", variant.ident);
        remarks(&mut variant.attrs, &mut text);
        let prefix = format!("{}.", variant.ident);
        fields(&prefix, &mut variant.fields, &mut text);
    }
    text
}

/// Whether this is derived; all that is derived is taken away.
fn derives(attributes: &mut Vec<syn::Attribute>) -> bool {
    let is_derive = |attribute: &syn::Attribute| attribute.path().is_ident("derive");
    let migrate = attributes.iter().filter(|attribute| is_derive(attribute));
    let found = migrate
        .map(|attribute| attribute.to_token_stream().to_string())
        .any(|text| text.contains("Migrate"));
    attributes.retain(|attribute| !is_derive(attribute));
    found
}

fn fields(prefix: &str, fields: &mut syn::Fields, text: &mut String) {
    for (at, field) in fields.iter_mut().enumerate() {
        let name = field
            .ident
            .as_ref()
            .map_or(at.to_string(), ToString::to_string);
        *text += &format!("field {prefix}{name} {}\n", field.ty.to_token_stream());
        remarks(&mut field.attrs, text);
    }
}

/// The words of `#[migrate(…)]`, as the derive writes them.
fn remarks(attributes: &mut Vec<syn::Attribute>, text: &mut String) {
    for attribute in attributes.iter().filter(|it| it.path().is_ident("migrate")) {
        attribute
            .parse_nested_meta(|meta| {
                let word = meta.path.to_token_stream().to_string();
                let value: syn::Expr = meta.value()?.parse()?;
                match (word.as_str(), value) {
                    ("was", syn::Expr::Lit(literal)) => {
                        let name = literal.to_token_stream().to_string();
                        let name = name.trim_matches('"');
                        let (name, of) = name.split_once(": ").unwrap_or((name, ""));
                        *text += &format!("was {name}\n");
                        if !of.is_empty() {
                            *text += &format!("was-type {of}\n");
                        }
                    }
                    _ => *text += &format!("{word}\n"),
                }
                Ok(())
            })
            .expect("an attribute of the kind that is known");
    }
    attributes.retain(|attribute| !attribute.path().is_ident("migrate"));
}

/// One version of all cases of a batch.
struct Compiled {
    types: Program,
    symbols: BTreeMap<String, (String, SectionKind)>,
}

/// One version of a case.
struct Own<'a> {
    types: &'a Program,
    descriptions: Descriptions,
    path: String,
    cell: &'a str,
}

fn built(folder: &Path, batch: &Batch, new: bool) -> Compiled {
    let objects = batch.compile(folder, new, |case| {
        let (source, _) = described(&case.version(new), &case.path());
        format!("{PRELUDE}{source}")
    });
    let facts = |object: &Vec<u8>| Arc::new(read_object(object).expect("facts"));
    Compiled {
        types: Program::new(objects.iter().map(facts), ["c".to_owned()]),
        symbols: symbols(&objects),
    }
}

impl Compiled {
    fn of(&self, case: &Case, new: bool) -> Own<'_> {
        let (_, texts) = described(&case.version(new), &case.path());
        let texts = texts.iter().map(|(symbol, text)| Text {
            symbol: symbol.as_ref().map_or("", |it| &self.symbols[it].0),
            text,
            function: text
                .lines()
                .next()
                .filter(|it| it.starts_with("code-change")),
        });
        let path = format!("{}::CELL", case.path());
        Own {
            types: &self.types,
            descriptions: Descriptions::read(texts).expect("texts of this version"),
            cell: &self.symbols[&path].0,
            path,
        }
    }
}

impl Own<'_> {
    fn version(&self) -> Version<'_> {
        Version {
            types: self.types,
            descriptions: &self.descriptions,
        }
    }
}

fn planned(old: &Own, new: &Own, way: Way) -> Migration {
    let pair = CellPair {
        path: &old.path,
        old: old.cell,
        new: new.cell,
    };
    migrate(old.version(), new.version(), &[pair], way)
}

/// The plan in the catalogue's words.
fn words(migration: &Migration) -> Vec<String> {
    let refusals = migration
        .findings
        .iter()
        .filter(|it| it.verdict == Verdict::Refused);
    let mut words: Vec<String> = refusals
        .map(|finding| {
            format!(
                "refused {}: {}",
                finding.subject,
                finding.differences.join("; ")
            )
        })
        .collect();
    if words.is_empty() {
        let changes = migration.types.iter();
        words = changes
            .map(|change| change_in_words(change, migration))
            .collect();
    }
    words.sort();
    words
}

fn short(name: &str) -> String {
    let name = demangle(name).to_string();
    let words = name.split_inclusive(['<', '>', ',', ' ', '(', '[', ';']);
    words
        .map(|word| word.rsplit("::").next().unwrap_or(word))
        .collect::<String>()
        .replace(", Global", "")
}

fn change_in_words(change: &TypeChange, migration: &Migration) -> String {
    let of = |index: &u32| short(&migration.types[*index as usize].new);
    let fields = |fields: &Fields| {
        let mut parts: Vec<String> = fields
            .new
            .iter()
            .map(|field| match &field.source {
                Source::Same { from } if *from == field.name => field.name.clone(),
                Source::Same { from } => format!("{} = {from}", field.name),
                Source::Changed { from, by } => {
                    format!("{} = {from} changed ({})", field.name, of(by))
                }
                Source::Default => format!("{} = default", field.name),
                Source::With { from } => format!("{} = with {from}", field.name),
                Source::Back { from } => format!("{} = back {from}", field.name),
            })
            .collect();
        parts.sort();
        parts.extend(fields.removed.iter().map(|name| format!("- {name}")));
        parts.join(", ")
    };
    let how = match &change.how {
        How::Fields(all) => fields(all),
        How::Variants(variants) => {
            let variants = variants.iter().map(|variant| {
                let parts = fields(&variant.fields);
                let new = variant.new.as_deref().unwrap_or("-");
                match variant.with {
                    true => format!("{} > {new} by its function", variant.old),
                    false => format!("{} > {new} {{{parts}}}", variant.old),
                }
            });
            variants.collect::<Vec<_>>().join(", ")
        }
        How::Elements(elements) => {
            let elements = elements
                .iter()
                .map(|it| it.as_ref().map_or("_".to_owned(), of));
            format!("[{}]", elements.collect::<Vec<_>>().join(", "))
        }
        How::Whole(whole) => {
            let takes = whole.takes.iter().map(|taken| match taken {
                Taken::Nothing => "-".to_owned(),
                Taken::Value => "it".to_owned(),
                Taken::Field { name, .. } => name.clone(),
                Taken::OfVariant { variant, name } => format!("{variant}.{name}"),
            });
            let takes = takes.collect::<Vec<_>>().join(", ");
            let name = whole.function.rsplit("::").next().unwrap_or_default();
            let parts = whole
                .parts
                .iter()
                .flatten()
                .map(|part| part.bytes.to_string());
            let parts: Vec<String> = parts.collect();
            match parts.is_empty() {
                true => format!("by {name}({takes})"),
                false => format!("by {name}({takes}) in parts of {}", parts.join(", ")),
            }
        }
    };
    format!("{}: {how}", short(&change.new))
}

/// What is wrong with the cases of a batch.
fn check(folder: &Path, batch: &Batch) -> Vec<String> {
    let (left, right) = (built(folder, batch, false), built(folder, batch, true));
    let cases = batch.cases.iter();
    let wrong = cases.map(|case| {
        let (left, right) = (left.of(case, false), right.of(case, true));
        verdict(case, batch.form, &left, &right)
    });
    wrong.flatten().collect()
}

/// What is wrong with a case, or nothing.
fn verdict(case: &Case, form: Form, left: &Own, right: &Own) -> Option<String> {
    let migration = match case.back {
        false => planned(left, right, Way::Forward),
        true => planned(right, left, Way::Back),
    };
    let unchanged = words(&planned(left, left, Way::Forward));
    if !unchanged.is_empty() {
        return Some(format!(
            "{}: a version differs from itself: {unchanged:?}",
            case.name
        ));
    }
    let mut found: Vec<String> = words(&migration)
        .iter()
        .map(|word| case.alone(word))
        .collect();
    found.sort();
    let consistent =
        migration.cells[0].change.is_some() || found.iter().all(|it| it.starts_with("refused"));
    if found == case.expected && consistent {
        return ways(case, left, right);
    }
    let texts = migration
        .findings
        .iter()
        .map(|finding| report::finding(finding, None));
    Some(format!(
        "{} ({form:?})\n  expected {}\n  found    {}\n{}",
        case.name,
        case.expected.join("\n           "),
        found.join("\n           "),
        case.alone(&texts.collect::<String>())
    ))
}

/// Whether what a case says of being run is true. What can go forward has values, and the tag `one-way` if it can't go back;
/// what could go back, but can't go forward, has the tag `unreached`.
fn ways(case: &Case, left: &Own, right: &Own) -> Option<String> {
    let goes = |migration: Migration| {
        let refused = |it: &Finding| it.verdict == Verdict::Refused;
        !migration.findings.iter().any(refused)
    };
    let forward = goes(planned(left, right, Way::Forward));
    let back = goes(planned(right, left, Way::Back));
    let name = &case.name;
    if forward == case.values.is_empty() {
        return Some(format!(
            "{name}: it goes forward: {forward}, with values: {}",
            !forward
        ));
    }
    let unreached = case.back && back && !forward;
    let wrong = case.unreached != unreached || case.one_way != (forward && !back);
    wrong.then(|| format!("{name}: it goes forward: {forward}, and back: {back}"))
}

#[test]
fn state() {
    run(include_str!("state.txt"), check);
}
