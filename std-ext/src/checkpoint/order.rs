//! The order of layers: as given, by the numbers in their names, or by their shapes if exactly one order fits.

use super::{ParseError, WEIGHT, full_name, tensor};
use crate::error::{quote, shape_text};
use std::collections::{BTreeMap, BTreeSet};

/// Layers listed in an error.
const MOST_LISTED: usize = 8;
const GIVE: &str = "give the order of the computation with --layers a,b,c";

/// Name and shape of a layer, from the header.
pub(super) struct Link<'a> {
    /// The part of the name before `.weight`.
    pub(super) name: &'a str,
    pub(super) outputs: usize,
    pub(super) inputs: usize,
}

/// Indices of the layers in the order of the computation, in which each takes as many inputs as the one before has
/// outputs.
///
/// The numbers in the names decide if all names have the same text around them. If the last numbers are all different, they
/// must give the same order as all numbers from left to right. Otherwise the shapes decide, if only one order fits them.
///
/// **Errors** a [`ParseError`] that lists the layers if neither decides, or if both do and disagree; at a tensor if its
/// inputs do not fit; for a given name that is unknown or repeated, and for a layer that is not given.
pub(super) fn in_order(links: &[Link<'_>], given: Option<&[String]>) -> Result<Vec<usize>, ParseError> {
    if let Some(names) = given {
        let order = as_given(links, names)?;
        return break_in(links, &order).map_or(Ok(order), Err);
    }
    let wrong = |reason: String| ParseError::new("layers", reason);
    let list = |order: &[usize]| list(order.iter().filter_map(|&place| links.get(place)));
    let stored: Vec<usize> = (0..links.len()).collect();
    match (by_numbers(links), chains(links)) {
        (Ok(order), chains) => {
            let Some(error) = break_in(links, &order) else { return Ok(order) };
            let backwards: Vec<usize> = order.iter().rev().copied().collect();
            let other = match chains {
                Chains::One(other) => Some(other),
                _ => Some(backwards).filter(|other| break_in(links, other).is_none()),
            };
            let Some(other) = other else { return Err(error) };
            Err(wrong(format!(
                "the numbers in their names say {}, the shapes (outputs, inputs) fit as {}: {GIVE}, or transpose the \
                 weights if they are stored as (inputs, outputs)",
                list(&order),
                list(&other)
            )))
        }
        (Err(_), Chains::One(order)) => Ok(order),
        (Err(why), Chains::Several) => Err(wrong(format!(
            "{why}, and more than one order fits the shapes (outputs, inputs): {}; {GIVE}",
            list(&stored)
        ))),
        (Err(why), Chains::None) => Err(wrong(format!(
            "{why}, and no order fits the shapes (outputs, inputs): {}; save the layers of one chain alone",
            list(&stored)
        ))),
    }
}

/// Names and shapes of layers, as many as are shown.
fn list<'a>(links: impl Iterator<Item = &'a Link<'a>>) -> String {
    let mut all: Vec<String> = links
        .map(|link| format!("{} {}", quote(link.name), shape_text(&[link.outputs, link.inputs])))
        .collect();
    let count = all.len();
    all.truncate(MOST_LISTED);
    let shown = all.join(", ");
    if count > MOST_LISTED { format!("{shown}, ... ({count} layers)") } else { shown }
}

/// The first layer that does not take the outputs of the one before.
fn break_in(links: &[Link<'_>], order: &[usize]) -> Option<ParseError> {
    let chain: Vec<&Link<'_>> = order.iter().filter_map(|&place| links.get(place)).collect();
    let (before, link) =
        chain.iter().zip(chain.iter().skip(1)).find(|(before, link)| before.outputs != link.inputs)?;
    let reason = format!(
        "{} inputs, expected the {} outputs of {}",
        link.inputs,
        before.outputs,
        quote(&full_name(before.name, WEIGHT))
    );
    Some(ParseError::new(tensor(&full_name(link.name, WEIGHT)), reason))
}

fn as_given(links: &[Link<'_>], names: &[String]) -> Result<Vec<usize>, ParseError> {
    let wrong =
        |reason: String| ParseError::new("layers", format!("{reason}; the file has {}", list(links.iter())));
    let mut order = Vec::new();
    let mut named = vec![false; links.len()];
    for name in names {
        let place = links.iter().position(|link| link.name == name);
        match place.and_then(|place| Some((place, named.get_mut(place)?))) {
            None => return Err(wrong(format!("there is no layer {}", quote(name)))),
            Some((_, true)) => return Err(wrong(format!("{} is given twice", quote(name)))),
            Some((place, named)) => {
                *named = true;
                order.push(place);
            }
        }
    }
    match links.iter().zip(&named).find(|(_, named)| !**named) {
        Some((link, _)) => Err(wrong(format!("{} is not given", quote(link.name)))),
        None => Ok(order),
    }
}

/// A name as text and numbers in turn. Longer numbers are larger once leading zeros are gone.
pub(crate) fn natural(name: &str) -> impl Iterator<Item = (&str, Option<(usize, &str)>)> {
    let mut rest = name;
    std::iter::from_fn(move || {
        let (text, after) = rest.split_at(rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len()));
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (digits, after) = after.split_at(end);
        let number = digits.trim_start_matches('0');
        let part = (text, (!digits.is_empty()).then_some((number.len(), number)));
        (!std::mem::replace(&mut rest, after).is_empty()).then_some(part)
    })
}

/// The order that the numbers say, or why they say none.
pub(super) fn by_numbers(links: &[Link<'_>]) -> Result<Vec<usize>, String> {
    fn numbers<'a>(link: &Link<'a>) -> impl Iterator<Item = (usize, &'a str)> + use<'a> {
        natural(link.name).filter_map(|(_, number)| number)
    }
    fn texts<'a>(link: &Link<'a>) -> impl Iterator<Item = (&'a str, bool)> + use<'a> {
        natural(link.name).map(|(text, number)| (text, number.is_some()))
    }
    let mut order: Vec<(usize, &Link<'_>)> = links.iter().enumerate().collect();
    if let Some((_, link)) = order.iter().find(|(_, link)| links.len() > 1 && numbers(link).next().is_none())
    {
        return Err(format!("{} has no number in its name", quote(link.name)));
    }
    order.sort_by(|(_, a), (_, b)| numbers(a).cmp(numbers(b)));
    let pairs = || order.iter().zip(order.iter().skip(1)).map(|((_, a), (_, b))| (*a, *b));
    let names = |a: &Link<'_>, b: &Link<'_>| format!("{} and {}", quote(a.name), quote(b.name));
    for (a, b) in pairs() {
        if !texts(a).eq(texts(b)) {
            return Err(format!("the names {} differ in more than numbers", names(a, b)));
        }
        if numbers(a).eq(numbers(b)) {
            return Err(format!("the names {} have the same numbers", names(a, b)));
        }
    }
    // If all last numbers are different, they may count the layers too.
    let last: BTreeSet<_> = links.iter().map(|link| numbers(link).last()).collect();
    match pairs().find(|(a, b)| numbers(a).last() > numbers(b).last()) {
        Some((a, b)) if last.len() == links.len() => {
            Err(format!("all numbers and the last ones order {} differently", names(a, b)))
        }
        _ => Ok(order.into_iter().map(|(place, _)| place).collect()),
    }
}

/// The orders in which each layer takes the outputs of the one before.
#[derive(Debug, PartialEq)]
enum Chains {
    None,
    One(Vec<usize>),
    Several,
}

/// The orders in which the shapes chain. Layers are edges from their inputs to their outputs, so an order is an Eulerian
/// trail, which Hierholzer's algorithm finds in linear time. Every other trail results from rotating a closed trail, or
/// from exchanging two parts that both lead from a width u to a width v. The order is therefore unique if no width
/// occurs three times and no two pairs of equal widths interleave.
///
/// **Source** Pevzner, *DNA physical mapping and alternating Eulerian cycles in colored graphs*, Algorithmica 13 (1995).
fn chains(links: &[Link<'_>]) -> Chains {
    let mut leaving: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut surplus: BTreeMap<usize, i64> = BTreeMap::new();
    for (place, link) in links.iter().enumerate() {
        leaving.entry(link.inputs).or_default().push(place);
        *surplus.entry(link.inputs).or_default() += 1;
        *surplus.entry(link.outputs).or_default() -= 1;
    }
    let starts: Vec<_> = surplus.into_iter().filter(|(_, surplus)| *surplus > 0).collect();
    let start = match (starts.as_slice(), links) {
        ([], [link, ..]) => link.inputs,
        ([(start, 1)], _) => *start,
        _ => return Chains::None,
    };
    let mut open = vec![(start, None)];
    let mut trail = Vec::new();
    while let Some(&(width, taken)) = open.last() {
        let next = leaving.get_mut(&width).and_then(Vec::pop);
        match next.and_then(|next| Some((links.get(next)?.outputs, Some(next)))) {
            Some(step) => open.push(step),
            None => {
                trail.extend(taken);
                open.pop();
            }
        }
    }
    trail.reverse();
    if trail.len() < links.len() {
        return Chains::None;
    }
    if starts.is_empty() && trail.len() > 1 {
        return Chains::Several;
    }
    let widths = || {
        std::iter::once(start).chain(trail.iter().filter_map(|&place| links.get(place)).map(|l| l.outputs))
    };
    let mut visits: BTreeMap<usize, u32> = BTreeMap::new();
    widths().for_each(|width| *visits.entry(width).or_default() += 1);
    if visits.values().any(|&visits| visits > 2) {
        return Chains::Several;
    }
    // Widths that occur twice, of which one was visited. Pairs that do not interleave close from the inside out.
    let mut pending = Vec::new();
    for width in widths() {
        match visits.get_mut(&width) {
            Some(left @ 2) => {
                *left = 0;
                pending.push(width);
            }
            Some(0) if pending.pop() != Some(width) => return Chains::Several,
            _ => {}
        }
    }
    Chains::One(trail)
}
