//! By what a daemon's config is known to those who ask for its status.

use super::types::Config;
use crate::change::status::Identity;

impl Config {
    /// The file, and a digest of what it is about.
    pub fn identity(&self) -> Identity {
        let mut digest = Digest::default();
        for (name, source) in &self.sources {
            digest.take(&["source", name, &source.host, &source.port.to_string()]);
        }
        for (name, target) in &self.targets {
            digest.take(&["target", name, &target.host, &target.port.to_string(), &target.database]);
        }
        for (name, task) in &self.tasks {
            digest.take(&["task", name, &task.source, &task.target]);
        }
        Identity { file: self.file.clone(), digest: format!("{:016x}", digest.0), socket: String::new() }
    }
}

/// FNV-1a: the same in every version of this program, which the standard library's hash is not. It keeps mistakes apart, not
/// attackers.
struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    fn take(&mut self, words: &[&str]) {
        for word in words {
            // A zero byte after each word keeps their borders.
            for byte in word.bytes().chain([0]) {
                self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::parse;

    #[test]
    fn a_config_is_known_by_its_file_or_by_what_it_is_about() {
        let config = |task: &str, file: &str| {
            let text = format!(
                "[source.s]\nurl = \"mysql://u@h\"\n[target.t]\nurl = \"postgresql://u@h/d\"\n\
                 [task.{task}]\nsource = \"s\"\ntarget = \"t\"\ntables = [\"a.*\"]"
            );
            let mut config = parse("t", &text, &|_| None).unwrap();
            file.clone_into(&mut config.file);
            config.identity()
        };
        assert!(config("shop", "/a").is(&config("shop", "/b")), "a copy of the file");
        assert!(config("shop", "/a").is(&config("books", "/a")), "an edited file");
        assert!(!config("shop", "/a").is(&config("books", "/b")));
        assert!(!config("shop", "").is(&config("books", "")), "no file is not the same file");
    }
}
