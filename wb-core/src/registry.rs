//! The one seam to git.
