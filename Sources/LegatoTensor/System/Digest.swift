/// Names for values that no file holds.
public enum Digest {
  /// SHA-256 of the values' bytes, 64 lower-case hexadecimal digits.
  public static func sha256(_ values: [Float]) -> String {
    values.map { $0.bitPattern.littleEndian }.withUnsafeBytes { SHA256.hexadecimal($0) }
  }
}
