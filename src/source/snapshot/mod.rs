//! Reading tables: the rows of a chunk.

pub mod reader;

pub use reader::ChunkReader;
