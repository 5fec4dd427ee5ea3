//! Our tree against two implementations that aren't ours: ct-merkle (Rust), and pymerkle (Python), which
//! scripts/install-test-deps.sh installs. Roots, inclusion and consistency, ours checked by them and theirs by us.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use countersign::domain::audit::leaf_hash;
use countersign::domain::details::Digest;
use countersign::domain::log::tree::{self, Head};
use countersign::domain::log::{Edge, Tiles};
use ct_merkle::RootHash;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use serde_json::{Value, json};
use sha2::Sha256;

/// Leaves of the trees that are compared: around powers of two, and around whole tiles.
const SIZES: [u64; 14] = [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 255, 256, 300];

/// What the entries commit to.
fn commitments() -> Vec<Digest> {
    (0..300_u32).map(|number| Digest::of(&number.to_be_bytes())).collect()
}

/// All tiles of the largest tree. They serve the smaller ones too.
fn tiles() -> Tiles {
    let mut edge = Edge::read(0, &Tiles::default()).unwrap();
    edge.append(&commitments().iter().map(leaf_hash).collect::<Vec<_>>())
}

fn head(size: u64) -> Head {
    Head { size, root: tree::root(size, &tiles()).unwrap() }
}

fn at(index: u64) -> usize {
    usize::try_from(index).unwrap()
}

/// Indices worth a proof in a tree of this size.
fn indices(size: u64) -> impl Iterator<Item = u64> {
    (0..size).filter(move |index| size < 40 || [0, 1, 127, 254, 255, 256, 257, size - 1].contains(index))
}

type Theirs = MemoryBackedTree<Sha256, [u8; 32]>;

fn theirs(size: u64) -> Theirs {
    let mut theirs = Theirs::new();
    commitments().iter().take(at(size)).for_each(|commitment| theirs.push(*commitment.bytes()));
    theirs
}

fn bytes(path: &[Digest]) -> Vec<u8> {
    path.iter().flat_map(|hash| *hash.bytes()).collect()
}

fn digests(bytes: &[u8]) -> Vec<Digest> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    assert!(rest.is_empty());
    hashes.iter().map(|hash| Digest::from_bytes(*hash)).collect()
}

#[test]
fn ct_merkle_has_the_same_roots_and_proofs() {
    let (tiles, leaves) = (tiles(), commitments());
    for size in SIZES {
        let (ours, other) = (head(size), theirs(size));
        assert_eq!(other.root().as_bytes().as_slice(), ours.root.bytes(), "{size} leaves");
        for index in indices(size) {
            let path = tree::inclusion(index, size, &tiles).unwrap();
            let proof = other.prove_inclusion(at(index));
            assert_eq!(bytes(&path), proof.as_bytes(), "leaf {index} of {size}");
            tree::verify_inclusion(&leaf_hash(&leaves[at(index)]), index, size, &digests(proof.as_bytes()), &ours.root)
                .unwrap();
            other.root().verify_inclusion(leaves[at(index)].bytes(), index, &proof).unwrap();
        }
        for old in SIZES.into_iter().filter(|old| *old < size) {
            let path = tree::consistency(old, size, &tiles).unwrap();
            let proof = other.prove_consistency(at(size - old));
            assert_eq!(bytes(&path), proof.as_bytes(), "from {old} to {size}");
            tree::verify_consistency(&head(old), &ours, &digests(proof.as_bytes())).unwrap();
            let before = RootHash::<Sha256>::new((*head(old).root.bytes()).into(), old);
            other.root().verify_consistency(&before, &proof).unwrap();
        }
    }
}

/// Builds the same tree with pymerkle, and checks its proofs against our roots.
const SCRIPT: &str = r#"
import json, sys
from pymerkle import InmemoryTree
given = json.load(sys.stdin)
tree = InmemoryTree(algorithm="sha256")
for leaf in given["leaves"]:
    tree.append_entry(bytes.fromhex(leaf))
roots = {size: bytes.fromhex(root) for size, root in given["roots"]}
answer = {"roots": {size: tree.get_root(size).hex() for size in roots}, "inclusion": []}
for index, size in given["inclusion"]:
    proof = tree.prove_inclusion(index + 1, size)
    proof.verify(tree.get_leaf(index + 1), roots[size])
    answer["inclusion"].append([step.hex() for step in proof.path])
for old, new in given["consistency"]:
    tree.prove_consistency(old, new).verify(roots[old], roots[new])
json.dump(answer, sys.stdout)
"#;

fn pymerkle(given: &Value) -> Value {
    let extra = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.python");
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", SCRIPT])
        .env("PYTHONPATH", &extra)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("/usr/bin/python3");
    child.stdin.take().expect("its input").write_all(given.to_string().as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "run scripts/install-test-deps.sh for pymerkle: {said}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn hex(path: &[Digest]) -> Value {
    path.iter().map(ToString::to_string).collect::<Vec<_>>().into()
}

#[test]
fn pymerkle_has_the_same_roots_and_proofs() {
    let tiles = tiles();
    let inclusion: Vec<(u64, u64)> =
        SIZES.into_iter().flat_map(|size| indices(size).map(move |index| (index, size))).collect();
    let growths = |new: u64| SIZES.into_iter().filter(move |old| *old < new).map(move |old| (old, new));
    let consistency: Vec<(u64, u64)> = SIZES.into_iter().flat_map(growths).collect();
    let leaves: Vec<String> = commitments().iter().map(ToString::to_string).collect();
    let roots: Vec<(u64, String)> = SIZES.into_iter().map(|size| (size, head(size).root.to_string())).collect();
    // Its proofs of consistency have another form than RFC 6962's; it checks its own against our roots.
    let answer =
        pymerkle(&json!({"leaves": leaves, "roots": roots, "inclusion": inclusion, "consistency": consistency}));
    for size in SIZES {
        assert_eq!(answer["roots"][size.to_string()], head(size).root.to_string(), "{size} leaves");
    }
    for ((index, size), path) in inclusion.iter().zip(answer["inclusion"].as_array().unwrap()) {
        // Its paths begin with the leaf itself.
        let ours = tree::inclusion(*index, *size, &tiles).unwrap();
        let leaf = leaf_hash(&commitments()[at(*index)]);
        assert_eq!(*path, hex(&[&[leaf], ours.as_slice()].concat()), "leaf {index} of {size}");
    }
}
