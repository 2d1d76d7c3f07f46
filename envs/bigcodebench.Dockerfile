# BigCodeBench's own evaluator with its authors' pins, for the leaderboard's number. `snow` does not use it; how to run it is in
# docs/judging.md. Base image, system packages and requirements are those of bigcodebench's Docker/Evaluate.Dockerfile.
FROM python:3.10-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ git procps python3-tk r-base unzip zip \
    && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir bigcodebench==0.2.5 \
    && pip install --no-cache-dir --ignore-installed --timeout 2000 \
    -r https://github.com/bigcode-project/bigcodebench-annotation/releases/download/v0.1.0/requirements.txt
RUN useradd --create-home judge
USER judge
WORKDIR /samples
ENTRYPOINT ["python3", "-m", "bigcodebench.evaluate", "--execution", "local"]
