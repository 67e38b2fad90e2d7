import LegatoNN
import LegatoTensor

/// How far a stretch is from the one before it: what makes a loop or a drone stand out.
///
/// For each patch of 0.96 s the distance to the nearest of all the places in the stretch before, a frame (80 ms)
/// apart: root mean square difference of log-mel values in nats; then the mean over patches. What repeats itself, or
/// stands still, is near 0.
public enum Novelty {
  /// - Parameters: frames `[frames, bands]` of a stretch and of the one before; nil for less than a patch.
  public static func distance(
    of stretch: ArraySlice<Float>, from before: ArraySlice<Float>, engine: CPUEngine
  )
    -> Double?
  {
    let (size, bands) = (PatchEmbedding.patchSize, LogMelAnalyser.bands)
    let count = stretch.count / size
    guard count > 0, before.count >= size else { return nil }
    let queries = engine.tensor(Array(stretch.prefix(count * size)), shape: [count, size])
    let places = engine.tensor(Array(before), shape: [before.count]).frame(size: size, hop: bands)
    let energies = places.square().sum(axis: -1).reshape([1, places.dim(0)])
    let nearest = (queries.matmul(places, transposed: true) - energies * 0.5).max(axis: -1).floats()
    let own = queries.square().sum(axis: -1).floats()
    let distances = zip(own, nearest).map { own, nearest in
      (max(0, Double(own) - 2 * Double(nearest)) / Double(size)).squareRoot()
    }
    return Statistics.mean(distances)
  }
}
