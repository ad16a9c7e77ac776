//! How deeply code could nest, estimated without parsing it.
//!
//! The parser and the visitors recurse, and stack that runs out ends the process. Brackets nest, and so do chains without brackets
//! (`!!!!x`, `a=>a=>a`, `1+1+1`). Code beyond the limits is no code that people or bundlers write.

/// Brackets inside each other.
const BRACKETS: usize = 1_000;
/// Tokens of one chain, those of the enclosing brackets included.
const CHAIN: usize = 60_000;
/// White space after a `}` that is looked over, in bytes.
const SPACE: usize = 64;
/// Words that go on with what a `}` ended.
const CONTINUES: [&[u8]; 6] = [b"else", b"in", b"instanceof", b"of", b"as", b"satisfies"];

/// Whether `source` may be given to the parser.
pub(crate) fn is_sane(source: &str) -> bool {
    let mut chains = vec![0usize];
    let mut enclosing = 0usize;
    let mut in_word = false;
    for (at, byte) in source.bytes().enumerate() {
        let word = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..);
        let starts = word && !in_word;
        in_word = word;
        match byte {
            b'(' | b'[' | b'{' => {
                enclosing += chains.last().copied().unwrap_or_default();
                chains.push(0);
            }
            b')' | b']' | b'}' => {
                if chains.len() > 1 {
                    chains.pop();
                }
                enclosing = enclosing.saturating_sub(chains.last().copied().unwrap_or_default());
                if byte == b'}'
                    && ends_statement(&source.as_bytes()[at + 1..])
                    && let Some(chain) = chains.last_mut()
                {
                    *chain = 0;
                }
            }
            b';' | b',' => {
                if let Some(chain) = chains.last_mut() {
                    *chain = 0;
                }
            }
            _ if starts || (!word && !byte.is_ascii_whitespace()) => {
                if let Some(chain) = chains.last_mut() {
                    *chain += 1;
                    if enclosing + *chain > CHAIN {
                        return false;
                    }
                }
            }
            _ => {}
        }
        if chains.len() > BRACKETS {
            return false;
        }
    }
    true
}

/// Whether what follows a `}` starts something new: a word that continues nothing.
fn ends_statement(after: &[u8]) -> bool {
    let Some(start) = after.iter().take(SPACE).position(|byte| !byte.is_ascii_whitespace()) else { return false };
    let word: Vec<u8> = after[start..].iter().copied().take(11).take_while(u8::is_ascii_alphabetic).collect();
    !word.is_empty() && !CONTINUES.contains(&word.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_nesting_is_seen_and_long_files_are_not_mistaken_for_it() {
        for hostile in [
            "(",
            "[",
            "{",
            "!",
            "a=>",
            "1+",
            "a?a:",
            "if(1)",
            "new ",
            "`${",
            "-",
            "a.b.",
            "x=",
            "if(a){}else ",
            "{}in ",
            "typeof\n",
            "if(1)\n",
        ] {
            assert!(!is_sane(&hostile.repeat((1 << 20) / hostile.len())), "{hostile}");
        }
        for fine in [
            "const a = f(1, 2);\n",
            "function f(a){return a?b(a):c.d.e}",
            "case 1: break; ",
            "'a b c',",
            "a(),",
            "function f(){}\n",
            "class A{b(){}}\n",
        ] {
            assert!(is_sane(&fine.repeat((1 << 20) / fine.len())), "{fine}");
        }
    }
}
