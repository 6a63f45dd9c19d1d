//! The most stack that a linked program can use: frames and calls, read from its disassembly.
//!
//! ```text
//! arm-none-eabi-objdump -d --no-show-raw-insn ELF | stack [ROOT]      the bound in bytes, then the deepest chain of calls
//! ```
//! Each function is walked along its branches with what is known of the registers: constants, and distances from the stack
//! pointer at its entry. So every change of the stack pointer and every call through a register has a value; what has none
//! ends the program with an error, as does recursion. Interrupts are not counted: the firmware enables none.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;
use std::process::ExitCode;

const SP: usize = 13;
const LR: usize = 14;
const PC: usize = 15;

/// What a register is known to hold.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    Constant(i64),
    /// Bytes above the stack pointer at entry.
    Frame(i64),
}
use Value::{Constant, Frame};

type Registers = [Option<Value>; 16];
type Code<'t> = BTreeMap<u64, (&'t str, &'t str)>;

#[derive(Default)]
struct Function<'t> {
    name: &'t str,
    code: Code<'t>,
}

/// Depth of the stack, and of the calls, of one function by itself.
#[derive(Default)]
struct Frames {
    most: i64,
    /// Callee, depth at the call, whether it comes back here.
    calls: Vec<(u64, i64, bool)>,
    /// Returns with another stack pointer than at entry: the end of another function's code, shared by the linker.
    shifted: bool,
}

fn register(name: &str) -> Option<usize> {
    match name.trim_end_matches('!') {
        "sb" => Some(9),
        "sl" => Some(10),
        "fp" => Some(11),
        "ip" => Some(12),
        "sp" => Some(SP),
        "lr" => Some(LR),
        "pc" => Some(PC),
        other => other.strip_prefix('r')?.parse().ok().filter(|n| *n < 13),
    }
}

fn number(text: &str) -> Option<i64> {
    text.trim().strip_prefix('#')?.parse().ok()
}

/// Bytes of a list of registers, core or floating-point: `{r4, r5, lr}`, `{d8-d14}`.
fn list_bytes(text: &str) -> Option<i64> {
    let list = text.split_once('{')?.1.split_once('}')?.0;
    let mut bytes = 0;
    for item in list.split(',').map(str::trim) {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let size = if item.starts_with('d') { 8 } else { 4 };
        let index = |r: &str| register(r).map_or_else(|| r.get(1..)?.parse::<i64>().ok(), |n| Some(n as i64));
        bytes += size * (index(last)? - index(first)? + 1);
    }
    Some(bytes)
}

/// The functions by their addresses.
fn parse(text: &str) -> BTreeMap<u64, Function<'_>> {
    let mut functions: BTreeMap<u64, Function<'_>> = BTreeMap::new();
    let mut at = 0;
    for line in text.lines() {
        if let Some((address, name)) = line.strip_suffix(">:").and_then(|line| line.split_once(" <"))
            && let Ok(address) = u64::from_str_radix(address, 16)
        {
            at = address;
            functions.insert(at, Function { name, code: Code::new() });
        } else if let Some((address, rest)) = line.split_once(":\t")
            && let Ok(address) = u64::from_str_radix(address.trim(), 16)
            && let Some(function) = functions.get_mut(&at)
        {
            let (name, operands) = rest.split_once('\t').unwrap_or((rest, ""));
            let comment = if name == "ldr" || name == "ldr.w" { "\u{0}" } else { "@" };
            let operands = operands.split(comment).next().unwrap_or_default();
            function.code.insert(address, (name.trim(), operands.trim()));
        }
    }
    functions
}

/// Functions that never return: no instruction of them does, nor jumps to another function.
fn endless(functions: &BTreeMap<u64, Function<'_>>) -> HashSet<u64> {
    let returns = |function: &Function<'_>| {
        function.code.values().any(|(name, operands)| {
            let to = operands.split_whitespace().next().and_then(|to| u64::from_str_radix(to, 16).ok());
            let away = ["b", "b.n", "b.w"].contains(name) && to.is_some_and(|to| functions.contains_key(&to));
            away || name.starts_with("bx") || operands.contains("pc}")
        })
    };
    functions.iter().filter(|(_, function)| !returns(function)).map(|(address, _)| *address).collect()
}

/// Walks one function.
fn walk(start: u64, function: &Function<'_>, endless: &HashSet<u64>) -> Result<Frames, String> {
    const CONDITIONS: [&str; 16] =
        ["eq", "ne", "cs", "hs", "cc", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le"];
    let mut frames = Frames::default();
    let mut calls: HashMap<u64, (u64, i64, bool)> = HashMap::new();
    let mut seen: HashMap<u64, Registers> = HashMap::new();
    let mut entry = Registers::default();
    entry[SP] = Some(Frame(0));
    let mut open = vec![(start, entry)];
    while let Some((address, arriving)) = open.pop() {
        let Some(&(full, operands)) = function.code.get(&address) else {
            return Err(format!("{}: control leaves its code at {address:x}", function.name));
        };
        let error = |why: &str| Err(format!("{}: {why} at {address:x}: {full} {operands}", function.name));
        let mut state = arriving;
        if let Some(old) = seen.get(&address) {
            if old[SP] != state[SP] {
                return error("two depths of the stack");
            }
            state.iter_mut().zip(old).for_each(|(new, old)| *new = new.filter(|_| new == old));
            if state == *old {
                continue;
            }
        }
        seen.insert(address, state);
        let following = function.code.range(address + 1..).next().map(|(next, _)| *next);
        let (name, _) = full.split_once('.').unwrap_or((full, ""));
        let parts: Vec<&str> = operands.split(',').map(str::trim).collect();
        let first = parts.first().and_then(|part| register(part));
        let value = |part: usize| {
            let text = parts.get(part)?;
            number(text).map(Constant).or_else(|| state[register(text)?])
        };
        let depth = |state: &Registers| match state[SP] {
            Some(Frame(offset)) => Ok(-offset),
            _ => Err(format!("{}: unknown stack pointer at {address:x}: {full} {operands}", function.name)),
        };
        let here = depth(&state)?;
        let target = || {
            let text = parts.last()?.split_whitespace().next()?;
            u64::from_str_radix(text, 16).ok()
        };
        let mut go_on = true;
        let conditional = |base: &str| name.strip_prefix(base).is_some_and(|rest| CONDITIONS.contains(&rest));
        let mut after = state;
        match name {
            ".word" | ".short" | "udf" => continue,
            // A jump too far for the other kinds.
            "bl" if target().is_some_and(|to| to != start && function.code.contains_key(&to)) => {
                after[LR] = None;
                open.extend(target().map(|to| (to, after)));
                go_on = false;
            }
            "bl" | "blx" => {
                let callee = match (name, value(0)) {
                    ("bl", _) => target(),
                    (_, Some(Constant(to))) => Some(to as u64 & !1),
                    _ => return error("unknown callee"),
                };
                let Some(callee) = callee else { return error("unknown callee") };
                calls.insert(address, (callee, here, true));
                [0, 1, 2, 3, 12, LR].into_iter().for_each(|r| after[r] = None);
                go_on = !endless.contains(&callee);
            }
            "bx" | "bxeq" | "bxne" if parts == ["lr"] => {
                frames.shifted |= here != 0;
                go_on = name != "bx";
            }
            "bx" => {
                let Some(Constant(to)) = value(0) else { return error("unknown jump") };
                calls.insert(address, (to as u64 & !1, here, false));
                go_on = false;
            }
            _ if name == "b" || name == "cbz" || name == "cbnz" || conditional("b") => {
                let Some(to) = target() else { return error("unknown branch") };
                if function.code.contains_key(&to) {
                    open.push((to, state));
                } else {
                    calls.insert(address, (to, here, false));
                }
                go_on = name != "b";
            }
            "push" | "vpush" | "stmdb" | "pop" | "vpop" | "ldmia"
                if name.contains("pu") || name.contains("po") || operands.starts_with("sp!") =>
            {
                let Some(bytes) = list_bytes(operands) else { return error("unknown list") };
                let push = ["push", "vpush", "stmdb"].contains(&name);
                after[SP] = Some(Frame(-here + if push { -bytes } else { bytes }));
                if !push {
                    parts.iter().filter_map(|part| register(part.trim_matches(['{', '}']))).for_each(|r| {
                        if r != SP {
                            after[r] = None;
                        }
                    });
                    if operands.contains("pc") {
                        frames.shifted |= depth(&after)? != 0;
                        go_on = false;
                    }
                }
            }
            _ if conditional("pop") && operands.contains("pc") => {
                let bytes = list_bytes(operands).unwrap_or(-1);
                frames.shifted |= bytes != here;
            }
            "mov" | "movs" | "movw" if first.is_some() && parts.len() == 2 => {
                after[first.unwrap_or(0)] = value(1)
            }
            "add" | "adds" | "addw" | "sub" | "subs" | "subw" if first.is_some() && parts.len() <= 3 => {
                let sign = if name.starts_with("sub") { -1 } else { 1 };
                let (left, right) =
                    if parts.len() == 3 { (value(1), value(2)) } else { (value(0), value(1)) };
                after[first.unwrap_or(0)] = match (left, right) {
                    (Some(Frame(a)), Some(Constant(b))) => Some(Frame(a + sign * b)),
                    (Some(Constant(a)), Some(Frame(b))) if sign == 1 => Some(Frame(a + b)),
                    (Some(Constant(a)), Some(Constant(b))) => {
                        Some(Constant(i64::from((a + sign * b) as i32)))
                    }
                    _ => None,
                };
            }
            "ldr" if operands.contains("[pc,") => {
                // The assembler wrote where the constant lies.
                let place = operands.split('@').nth(1).map(|text| text.trim().trim_start_matches('('));
                let place = place.and_then(|text| u64::from_str_radix(text.split(' ').next()?, 16).ok());
                let word =
                    place.and_then(|place| function.code.get(&place)).filter(|(name, _)| *name == ".word");
                let word =
                    word.and_then(|(_, text)| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok());
                after[first.unwrap_or(PC)] = word.map(|word| Constant(i64::from(word as i32)));
            }
            _ if ["push", "pop", "vpush", "vpop", "msr"].iter().any(|start| name.starts_with(start)) => {
                return error("unknown change of the stack pointer");
            }
            _ => {
                let stores =
                    ["str", "stm", "cmp", "cmn", "tst", "teq", "it", "v", "nop", "bkpt", "dsb", "isb"];
                let (plain, inside) = operands.split_once('[').unwrap_or((operands, ""));
                let moves_base = inside.contains("]!") || inside.contains("], ") || plain.contains('!');
                let offset = inside.split_once("], ").map(|(_, by)| by).or(inside
                    .split_once(", ")
                    .map(|(_, by)| by.trim_end_matches("]!"))
                    .filter(|_| inside.ends_with("]!")));
                if name.contains("mov") && name.starts_with('v')
                    || !stores.iter().any(|store| name.starts_with(store))
                {
                    let list = plain.split_once('{').map_or(plain, |(_, list)| list);
                    let written = list.split([',', '{', '}', ' ']).filter_map(register);
                    written.for_each(|r| after[r] = None);
                }
                if moves_base {
                    let base = inside.split([',', ']']).next().filter(|base| !base.is_empty());
                    let base = base.or(plain.split([',', '!', ' ']).next()).and_then(register);
                    let by = offset.and_then(number);
                    let Some(base) = base else { return error("unknown base") };
                    after[base] = match (state[base], by) {
                        (Some(Frame(a)), Some(by)) => Some(Frame(a + by)),
                        _ => None,
                    };
                }
                if after[PC] != state[PC] || !moves_base && plain.starts_with("pc") {
                    return error("unknown jump");
                }
            }
        }
        frames.most = frames.most.max(depth(&after)?);
        if go_on {
            open.push((following.ok_or_else(|| format!("{}: runs past its end", function.name))?, after));
        }
    }
    frames.calls = calls.into_values().collect();
    Ok(frames)
}

/// Functions with what is known of them.
struct Program<'t> {
    functions: BTreeMap<u64, Function<'t>>,
    endless: HashSet<u64>,
    bounds: HashMap<u64, (i64, Option<u64>)>,
}

impl Program<'_> {
    /// Bytes below the stack pointer at the entry of a function, all its calls included.
    fn bound(&mut self, address: u64, path: &mut Vec<u64>) -> Result<(i64, bool), String> {
        let function = self.functions.get(&address).ok_or_else(|| format!("no function at {address:x}"))?;
        if path.contains(&address) {
            return Err(format!("{} calls itself", function.name));
        }
        let frames = walk(address, function, &self.endless)?;
        if let Some((bound, _)) = self.bounds.get(&address) {
            return Ok((*bound, frames.shifted));
        }
        path.push(address);
        let (mut most, mut deepest) = (frames.most, None);
        for (callee, depth, back) in frames.calls {
            let (below, shifted) = self.bound(callee, path)?;
            if shifted && back {
                return Err(format!("{} comes back with another stack", self.functions[&callee].name));
            }
            if depth + below > most {
                (most, deepest) = (depth + below, Some(callee));
            }
        }
        path.pop();
        self.bounds.insert(address, (most, deepest));
        Ok((most, frames.shifted))
    }
}

fn run() -> Result<(), String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| error.to_string())?;
    let root = std::env::args().nth(1).unwrap_or_else(|| "Reset".into());
    let functions = parse(&text);
    let mut program = Program { endless: endless(&functions), functions, bounds: HashMap::new() };
    let start =
        program.functions.iter().find(|(_, function)| function.name == root).map(|(address, _)| *address);
    let start = start.ok_or_else(|| format!("no function {root}"))?;
    println!("{}", program.bound(start, &mut Vec::new())?.0);
    let mut next = Some(start);
    while let Some(address) = next {
        let (bound, deepest) = program.bounds[&address];
        println!("{bound:6} {}", program.functions[&address].name);
        next = deepest;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stack: {error}");
            ExitCode::FAILURE
        }
    }
}
