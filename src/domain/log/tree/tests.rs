//! Known answers for the tree, and every proof of every small tree, whole and damaged.

use data_encoding::HEXLOWER;

use super::*;

/// The leaves of the known answers in the tests of RFC 6962's reference implementation (certificate-transparency,
/// `merkle_tree_test.cc`).
const LEAVES: [&[u8]; 8] = [
    b"",
    &[0x00],
    &[0x10],
    &[0x20, 0x21],
    &[0x30, 0x31],
    &[0x40, 0x41, 0x42, 0x43],
    &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
    &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
];
/// Roots of the trees of the first 1, 2, … 8 of them, from the same place.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// All leaves of a tree; every node is computed from them by the definition.
struct Plain(Vec<Digest>);

impl Nodes for Plain {
    fn node(&self, node: Node) -> Result<Digest, TreeError> {
        let width = 1_usize << node.level;
        let from = usize::try_from(node.index).unwrap() * width;
        let missing = TreeError::Missing { level: node.level, index: node.index };
        Ok(mth(self.0.get(from..from + width).ok_or(missing)?))
    }
}

/// MTH of RFC 6962 section 2.1, word for word, over leaf hashes.
fn mth(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => empty_root(),
        [only] => *only,
        more => {
            let mut k = 1;
            while k * 2 < more.len() {
                k *= 2;
            }
            node_hash(&mth(&more[..k]), &mth(&more[k..]))
        }
    }
}

fn leaf(data: &[u8]) -> Digest {
    Digest::of(&[&[0], data].concat())
}

fn known(size: usize) -> Plain {
    Plain(LEAVES[..size].iter().map(|data| leaf(data)).collect())
}

fn numbered(size: u32) -> Plain {
    Plain((0..size).map(|number| leaf(&number.to_be_bytes())).collect())
}

fn hex(text: &str) -> Digest {
    text.parse().unwrap()
}

fn head(size: u64, nodes: &Plain) -> Head {
    Head { size, root: root(size, nodes).unwrap() }
}

#[test]
fn roots_are_the_known_ones() {
    assert_eq!(
        HEXLOWER.encode(empty_root().bytes()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    for (at, expected) in ROOTS.iter().enumerate() {
        let size = u64::try_from(at + 1).unwrap();
        assert_eq!(root(size, &known(at + 1)).unwrap().to_string(), *expected, "{size} leaves");
    }
}

/// From the same known answers: the inclusion paths of leaf 0 in 8, leaf 5 in 8 and leaf 2 in 3, and the consistency
/// proofs from 1 to 8, 6 to 8 and 2 to 5.
#[test]
fn proofs_are_the_known_ones() {
    let tree = known(8);
    let inclusions: [(u64, u64, &[&str]); 3] = [
        (
            0,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            &[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    ];
    for (index, size, expected) in inclusions {
        let path: Vec<Digest> = expected.iter().map(|text| hex(text)).collect();
        assert_eq!(inclusion(index, size, &tree).unwrap(), path, "leaf {index} of {size}");
    }
    let consistencies: [(u64, u64, &[&str]); 3] = [
        (
            1,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            &[
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ];
    for (old, new, expected) in consistencies {
        let proof: Vec<Digest> = expected.iter().map(|text| hex(text)).collect();
        assert_eq!(consistency(old, new, &tree).unwrap(), proof, "from {old} to {new}");
    }
}

#[test]
fn every_leaf_of_every_small_tree_is_proved_and_nothing_else_is() {
    for size in 1..40_u32 {
        let tree = numbered(size);
        let size = u64::from(size);
        let root = root(size, &tree).unwrap();
        assert_eq!(root, mth(&tree.0));
        for index in 0..size {
            let leaf = tree.0[usize::try_from(index).unwrap()];
            let path = inclusion(index, size, &tree).unwrap();
            let check = |leaf, index, size, path: &[Digest], root| verify_inclusion(leaf, index, size, path, root);
            check(&leaf, index, size, &path, &root).unwrap();
            let other = Digest::of(b"other");
            assert_eq!(check(&other, index, size, &path, &root), Err(TreeError::OtherRoot));
            assert_eq!(check(&leaf, index, size, &path, &other), Err(TreeError::OtherRoot));
            assert_eq!(check(&leaf, size, size, &path, &root), Err(TreeError::NotInTree { index: size, size }));
            assert!(size == 1 || check(&leaf, (index + 1) % size, size, &path, &root).is_err());
            let longer = [path.as_slice(), &[other]].concat();
            assert_eq!(check(&leaf, index, size, &longer, &root), Err(TreeError::Length));
            for at in 0..path.len() {
                assert_eq!(check(&leaf, index, size, &path[..at], &root), Err(TreeError::Length));
                let mut damaged = path.clone();
                damaged[at] = other;
                assert_eq!(check(&leaf, index, size, &damaged, &root), Err(TreeError::OtherRoot));
            }
        }
        assert_eq!(inclusion(size, size, &tree), Err(TreeError::NotInTree { index: size, size }));
    }
}

#[test]
fn every_growth_of_every_small_tree_is_proved_and_no_other() {
    let tree = numbered(40);
    for new in 0..40_u64 {
        for old in 0..=new {
            let (before, after) = (head(old, &tree), head(new, &tree));
            let proof = consistency(old, new, &tree).unwrap();
            verify_consistency(&before, &after, &proof).unwrap();
            let other = Digest::of(b"other");
            let forked = Head { root: other, ..before };
            assert_eq!(verify_consistency(&forked, &after, &proof), Err(TreeError::OtherRoot), "from {old} to {new}");
            if old > 0 {
                let forked = Head { root: other, ..after };
                assert_eq!(verify_consistency(&before, &forked, &proof), Err(TreeError::OtherRoot));
            }
            let longer = [proof.as_slice(), &[other]].concat();
            assert_eq!(verify_consistency(&before, &after, &longer), Err(TreeError::Length), "from {old} to {new}");
            for at in 0..proof.len() {
                assert!(verify_consistency(&before, &after, &proof[..at]).is_err(), "from {old} to {new}");
                let mut damaged = proof.clone();
                damaged[at] = other;
                assert!(verify_consistency(&before, &after, &damaged).is_err(), "from {old} to {new}");
            }
            if old < new {
                let shrunk = TreeError::Shrunk { old: new, new: old };
                assert_eq!(verify_consistency(&after, &before, &proof), Err(shrunk));
                assert_eq!(consistency(new, old, &tree), Err(shrunk));
            }
        }
    }
}

#[test]
fn the_nodes_that_are_named_are_those_that_are_asked_for() {
    struct Only(Vec<Node>, Plain);
    impl Nodes for Only {
        fn node(&self, node: Node) -> Result<Digest, TreeError> {
            assert!(self.0.contains(&node), "{node:?} wasn't named");
            self.1.node(node)
        }
    }
    for size in 1..20 {
        root(size, &Only(root_nodes(size), numbered(20))).unwrap();
        for index in 0..size {
            inclusion(index, size, &Only(inclusion_nodes(index, size), numbered(20))).unwrap();
            consistency(index, size, &Only(consistency_nodes(index, size), numbered(20))).unwrap();
        }
    }
}
