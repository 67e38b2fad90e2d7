import Testing

/// max|a − b| ≤ tolerance · RMS(b).
func expectClose(_ a: [Float], _ b: [Float], _ tolerance: Float, location: SourceLocation = #_sourceLocation)
{
  #expect(a.count == b.count, sourceLocation: location)
  let rms = (b.reduce(0) { $0 + $1 * $1 } / Float(max(1, b.count))).squareRoot()
  let worst = zip(a, b).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
  #expect(
    rms > 0 && worst <= tolerance * rms, "max difference \(worst), RMS \(rms)", sourceLocation: location)
}
