import LegatoModels
import LegatoTensor
import Testing

@testable import LegatoTraining

/// The rows of `legato reproduce cam`.
@Suite struct CAMExperimentTests {
  @Test(arguments: CAMExperiment.Scale.allCases) func everyRowHasARecipe(_ scale: CAMExperiment.Scale) throws
  {
    let experiment = CAMExperiment(scale)
    var seen: Set<String> = []
    for row in CAMExperiment.rows {
      let recipe = try experiment.recipe(row, seed: 1)
      guard case .model(let settings) = recipe.subject else { throw CancellationError() }
      let sizes = try settings.configuration(latentDimension: 64)
      #expect(recipe.data.cropFrames >= 3 * sizes.backbone.window, "\(row.name)")
      #expect(try experiment.recipe(row, seed: 2) != recipe)
      seen.insert(recipe.yaml)
      // Equal backbones and updates.
      guard case .model(let first) = try experiment.recipe(CAMExperiment.rows[0], seed: 1).subject else {
        continue
      }
      var backbone = sizes.backbone
      if row.name == "short-context" { backbone.shortContext = nil }
      if !row.streams { (backbone.isCausal, backbone.readsNoiseLevel) = (true, false) }
      #expect(try first.configuration(latentDimension: 64).backbone == backbone)
    }
    // CAM with and without context noise have the same weights, and nothing else has.
    #expect(seen.count == CAMExperiment.rows.count - 1)
    #expect(
      CAMExperiment.rows.filter(\.isDeciding).map(\.name) == [
        "cam", "plain", "givt", "givt-noise", "cam-half",
      ])
    // What a settings search may look at is not what is measured.
    #expect(experiment.playing.seconds >= 2 * experiment.playing.stretch)
  }

  /// Losses of the rows' recipes on fixed latents. A row's result is kept under its recipe and `CAMExperiment.revision`: where the same
  /// recipe comes to mean another loss, results of before must not be taken for today's.
  @Test func recipesMeanWhatTheyMeant() throws {
    let known: [String: Float] = [
      "cam": 2.913834, "plain": 2.9151943, "givt": 1.7518828, "givt-noise": 1.7403961, "cam-clean": 2.913834,
      "mar": 1.9978737, "cam-half": 2.9039068, "vp-noise": 2.9228854, "replacement": 2.9861417,
      "rf": 3.1250937, "short-context": 3.2966347, "codes": 5.907169, "one-step": 2.9939532,
    ]
    let engine = CPUEngine(threads: 1)
    for row in CAMExperiment.rows {
      let recipe = try CAMExperiment(.toy).recipe(row, seed: 1)
      guard case .model(let settings) = recipe.subject else { throw CancellationError() }
      let sizes = try settings.configuration(latentDimension: 16)
      let model = try ContinuousModel(sizes, weights: RandomWeights(seed: 1, everywhere: 0.1))
      let batch = settings.transform.sequenceTransform.apply(
        LatentClips(
          latents: (0..<2).map { RandomStream(seed: 2, stream: $0).normal(41 * 16) }, begins: [true, false],
          positions: 40, dimension: 16), random: RandomStream(seed: 3, stream: 0))
      // A flow map's with its distillation, which not every batch has.
      let stream =
        row.name == "one-step"
        ? try #require((0..<64).first { FlowMapObjective.distils(RandomStream(seed: 4, stream: $0)) }) : 0
      let loss = settings.sampler.objective(sizes).loss(
        model, batch, on: engine, random: RandomStream(seed: 4, stream: stream)
      ).floats()[0]
      let expected = known[row.name] ?? 0
      #expect(
        abs(loss - expected) < 1e-4 * max(1, abs(loss)),
        "\(row.name): \(loss), was \(expected): raise CAMExperiment.revision where a recipe's meaning changed"
      )
    }
    #expect(CAMExperiment.revision == 1)
  }
}
