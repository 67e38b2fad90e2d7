// swift-tools-version: 6.1
import PackageDescription

// No library is linked: libtorch, libsndfile, soxr and FluidSynth are opened at run time by whoever
// needs them, so `swift build` needs the Swift toolchain alone.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
  name: "legato",
  platforms: [.macOS(.v15), .iOS(.v18)],
  products: [
    .library(name: "Legato", targets: ["Legato", "LegatoAudio", "LegatoModels"]),
    .library(name: "LegatoTraining", targets: ["LegatoTraining", "LegatoEvaluation"]),
    .library(name: "LegatoC", type: .dynamic, targets: ["LegatoC"]),
    .executable(name: "legato", targets: ["LegatoCLI"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // C, hidden behind its Swift module.
    .target(name: "CKernels"),
    .target(name: "CTorchAPI"),

    // What an app embeds.
    .target(name: "LegatoTensor", dependencies: ["CKernels"], swiftSettings: strict),
    .target(name: "LegatoNN", dependencies: ["LegatoTensor"], swiftSettings: strict),
    .target(name: "LegatoCodecs", dependencies: ["LegatoNN"], swiftSettings: strict),
    .target(name: "LegatoModels", dependencies: ["LegatoCodecs", "LegatoNN"], swiftSettings: strict),
    .target(name: "LegatoAudio", dependencies: ["LegatoTensor"], swiftSettings: strict),
    .target(name: "Legato", dependencies: ["LegatoAudio", "LegatoModels"], swiftSettings: strict),

    // The same for C and C++: legato.h, and a dynamic library (`make c-library`).
    .target(name: "CLegato"),
    .target(
      name: "LegatoC", dependencies: ["CLegato", "Legato", "LegatoCodecs", "LegatoModels"],
      swiftSettings: strict),

    // Training and tools.
    .target(name: "LegatoTorch", dependencies: ["CTorchAPI", "LegatoTensor"], swiftSettings: strict),
    .target(
      name: "LegatoEvaluation", dependencies: ["LegatoAudio", "LegatoModels"], swiftSettings: strict),
    .target(
      name: "LegatoTraining",
      dependencies: [
        "Legato", "LegatoAudio", "LegatoEvaluation", "LegatoModels", "LegatoTorch",
        .product(name: "Yams", package: "Yams"),
      ], swiftSettings: strict),
    .executableTarget(
      name: "LegatoCLI",
      dependencies: [
        "Legato", "LegatoAudio", "LegatoCodecs", "LegatoEvaluation", "LegatoModels", "LegatoTensor",
        "LegatoTorch", "LegatoTraining",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),

    // The lines of the README that embed Legato in an app, kept compiling.
    .executableTarget(
      name: "LegatoExample", dependencies: ["Legato", "LegatoAudio", "LegatoModels"],
      path: "Examples/LegatoExample"),

    // What Scripts/check-sanitizers.sh runs.
    .executableTarget(
      name: "LegatoStress",
      dependencies: ["Legato", "LegatoAudio", "LegatoCodecs", "LegatoModels", "LegatoTensor"],
      path: "Tests/LegatoStress",
      swiftSettings: strict),

    .testTarget(
      name: "LegatoTensorTests", dependencies: ["CKernels", "LegatoTensor"], swiftSettings: strict),
    .testTarget(name: "LegatoNNTests", dependencies: ["LegatoNN", "LegatoTorch"], swiftSettings: strict),
    .testTarget(name: "LegatoAudioTests", dependencies: ["LegatoAudio"], swiftSettings: strict),
    .testTarget(name: "LegatoTorchTests", dependencies: ["LegatoNN", "LegatoTorch"], swiftSettings: strict),
    .testTarget(
      name: "LegatoModelsTests", dependencies: ["Legato", "LegatoModels", "LegatoTorch"],
      swiftSettings: strict),
    .testTarget(
      name: "LegatoRealtimeTests",
      dependencies: ["Legato", "LegatoAudio", "LegatoCodecs", "LegatoModels", "LegatoTensor"],
      exclude: ["Programs"], swiftSettings: strict),
    .testTarget(
      name: "LegatoEvaluationTests",
      dependencies: [
        "LegatoAudio", "LegatoEvaluation", "LegatoModels", "LegatoNN", "LegatoTensor", "LegatoTorch",
      ],
      exclude: ["Vectors"], swiftSettings: strict),
    .testTarget(
      name: "LegatoTrainingTests", dependencies: ["LegatoModels", "LegatoTraining"], swiftSettings: strict),
    .testTarget(
      name: "LegatoCLITests",
      dependencies: [
        "Legato", "LegatoAudio", "LegatoCLI", "LegatoCodecs", "LegatoEvaluation", "LegatoModels",
        "LegatoTensor",
        "LegatoTraining",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),
  ]
)
