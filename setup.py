"""Installation: what chainertrpo needs, and what it can use.

The reason for each dependency stands in docs/dependencies.md.
"""

import pathlib
import re

from setuptools import find_packages, setup

HERE = pathlib.Path(__file__).parent
VERSION = re.search(
    r'__version__ = "(.+)"', (HERE / "chainertrpo" / "_version.py").read_text("utf-8")
).group(1)

MUJOCO = [
    # gym 0.26's Hopper and Walker2d need a MuJoCo before 2.3.5; gymnasium takes any.
    "mujoco==2.3.3; python_version < '3.9'",
    "imageio; python_version < '3.9'",
    "gymnasium[mujoco]>=1.0; python_version >= '3.9'",
]
# gymnasium[box2d] would bring pygame-ce, which overwrites the files of pygame.
BOX2D = ["box2d>=2.3.10", "pygame"]
NOTEBOOKS = ["nbclient", "nbformat", "ipykernel"]
COMPARE = ["scipy>=1.10"]
TENSORBOARD = ["tensorboardX>=2.6"]
ONNX = ["onnx>=1.14"]
# Equations become MathML when the site is built; ziamath brings the font for it.
DOCS = [
    "sphinx>=8",
    "myst-nb>=1.2",
    "furo",
    "numpydoc>=1.8",
    "math-core>=0.9",
    "ziamath",
]
# mpich brings the library and mpiexec; its wheel is for Linux and macOS.
MPI = ["mpi4py>=4", "mpich; sys_platform != 'win32'"]
TEST = [*MUJOCO, *BOX2D, *NOTEBOOKS, *COMPARE, *TENSORBOARD, *ONNX, "onnxruntime", *MPI]
TEST += ["h5py", "minari; python_version >= '3.9'", "pytest>=7", "pytest-xdist>=3.2"]

setup(
    name="chainertrpo",
    version=VERSION,
    description="Trust Region Policy Optimization on Chainer and CuPy",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.8",
    packages=find_packages(include=["chainertrpo", "chainertrpo.*"]),
    package_data={"chainertrpo": ["py.typed"], "chainertrpo.comparison": ["*.csv"]},
    entry_points={"console_scripts": ["chainertrpo = chainertrpo.program:main"]},
    install_requires=[
        "numpy>=1.22",
        "chainer==7.8.1",
        "filelock>=3.4",
        "gym==0.26.2",
        "gymnasium>=0.29; python_version >= '3.9'",
        "matplotlib>=3.5",
        "threadpoolctl>=3.1",
        "tqdm",
    ],
    extras_require={
        "mujoco": MUJOCO,
        "box2d": BOX2D,
        # CuPy 14 can bring the CUDA libraries; for older Pythons there is none, and none
        # for CUDA 13.
        "cuda12": [
            "cupy-cuda12x[ctk]>=14; python_version >= '3.10'",
            "cupy-cuda12x>=12; python_version < '3.10'",
        ],
        "cuda13": ["cupy-cuda13x[ctk]>=14; python_version >= '3.10'"],
        "compare": COMPARE,
        "video": ["moviepy", "pygame"],
        "record": BOX2D,
        "tensorboard": TENSORBOARD,
        "onnx": ONNX,
        "mpi": MPI,
        "demos": ["h5py", "minari; python_version >= '3.9'"],
        "notebooks": [*NOTEBOOKS, "jupyterlab", "pygame"],
        "docs": DOCS,
        "test": TEST,
        "dev": [*TEST, "ruff==0.17.5", "mypy>=1.14", "pre-commit"],
    },
)
